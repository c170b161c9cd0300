"""Vagrant itself, on machines that are made but never booted."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.foundation.errors import LabError
from lab.foundation.paths import LabFolder
from lab.foundation.process import run
from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.host.enclosure import Enclosure
from lab.host.process_identity import ProcessIdentity
from lab.machines.layers import Layers
from lab.machines.leftovers import remove_half_made
from lab.machines.libvirt_api import DomainState, Libvirt
from lab.machines.machines import Machines, MachineState
from lab.machines.networks import POOL
from lab.machines.snapshots import Snapshots
from lab.machines.vagrant import Vagrant
from lab.machines.vagrantfile import MachineSettings
from lab.supply.box.model import Box
from lab.topology.plan import Plan

NODES = ("k8s-master1", "k8s-node1", "k8s-node2")
UP = """
import sys; from pathlib import Path
from lab.foundation.errors import LabError
from lab.foundation.paths import LabFolder; from lab.host.enclosure import Enclosure
from lab.machines.snapshots import Snapshots
from lab.machines.vagrant import Vagrant
folder = LabFolder(Path(sys.argv[1]))
vagrant = Vagrant(folder, Enclosure(folder), on_line=lambda line: print(line, flush=True))
vagrant.up(["k8s-master1", "k8s-node1", "k8s-node2"])
"""


@pytest.fixture(scope="module")
def machines(lab_folder: LabFolder, plan: Plan, empty_box: Box, enclosure: Enclosure) -> Machines:
    machines = Machines(lab_folder, plan, empty_box, MachineSettings(driver="qemu"), enclosure)
    machines.prepare()
    machines.prepare()
    return machines


@pytest.fixture
def connection(machines: Machines, enclosure: Enclosure) -> Iterator[Libvirt]:
    with Libvirt(enclosure.libvirt_uri) as connection:
        yield connection


def kill_up_when_it_says(folder: LabFolder, marker: str) -> None:
    """Start `vagrant up` from a program of its own and kill that program, not Vagrant, with SIGKILL."""
    with subprocess.Popen(
        [sys.executable, "-c", UP, str(folder.root)], stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        vagrant = next(line for line in program.stdout if marker in line)
        assert marker in vagrant
        program.send_signal(signal.SIGKILL)
    wait_for(lambda: check_no_vagrant(folder), what="end of vagrant", deadline=Deadline(10), interval=0.05)


def check_no_vagrant(folder: LabFolder) -> None:
    wanted = f"VAGRANT_CWD={folder.root}\0".encode()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if wanted in environment.read_bytes() and ProcessIdentity.of(int(environment.parent.name)):
                raise NotYetError(f"{environment} belongs to vagrant")
        except OSError:
            continue


def test_before_anything_was_made(machines: Machines, lab_folder: LabFolder, enclosure: Enclosure) -> None:
    assert set(machines.states().values()) == {MachineState.NOT_CREATED}
    assert Vagrant(lab_folder, enclosure).status() == dict.fromkeys(NODES, "not_created")


def test_the_rendered_vagrantfile_works_from_a_plain_shell(
    machines: Machines, lab_folder: LabFolder, tmp_path: Path
) -> None:
    printed = run(["vagrant", "status"], cwd=lab_folder.root, env={"VAGRANT_HOME": str(tmp_path)}).stdout
    assert all(f"{node:<25} not created (libvirt)" in printed for node in NODES)


@pytest.mark.parametrize("marker", ["Creating domain with", "Creating shared folders"])
def test_after_a_kill_in_the_middle_the_machines_can_be_made_again(
    *,
    machines: Machines,
    connection: Libvirt,
    enclosure: Enclosure,
    lab_folder: LabFolder,
    plan: Plan,
    marker: str,
) -> None:
    kill_up_when_it_says(lab_folder, marker)
    made_anew = remove_half_made(
        connection, lab_folder, plan, Snapshots(lab_folder.snapshots, Layers(enclosure.layout.images))
    )
    whole = [domain for domain in connection.domains() if domain.state is DomainState.OFF]
    assert {domain.name for domain in whole} == set(NODES) - set(made_anew)
    assert all(domain.nics == 4 for domain in whole)
    volumes = {volume for volume in connection.volumes(POOL) if "vagrant_box_image" not in volume}
    assert volumes == {f"{domain.name}.img" for domain in whole}
    assert {node for node, state in machines.states().items() if state is MachineState.OFF} == {
        domain.name for domain in whole
    }
    with pytest.raises(LabError, match="not all nodes are running"):
        machines.snapshot("clean")
