"""New certificates on a node, and programs that are started again until they work."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.cluster.binaries.work import Installation
from lab.cluster.kubeadm import Membership
from lab.cluster.programs import FUNCTIONS, Program, after_change, restart
from lab.cluster.renewal import renewal_script
from lab.cluster.secrets import ClusterSecrets
from lab.cluster.tuning import settings_of
from lab.nodes.connection import LONGEST_SCRIPT
from lab.nodes.runtimes import Containerd
from lab.topology.models import Installer
from lab.topology.plan import Plan

SUPERVISOR = """\
while [ ! -e stop ]; do ./lab-a-program 600 & echo $! > started; wait $! || true; done
"""


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Path]:
    """A folder with a program that somebody starts again whenever it has ended."""
    shutil.copy("/bin/sleep", tmp_path / "lab-a-program")
    with subprocess.Popen(["bash", "-c", SUPERVISOR], cwd=tmp_path, stderr=subprocess.DEVNULL) as child:
        while not (tmp_path / "started").exists() or not pid(tmp_path):
            assert child.poll() is None
        yield tmp_path
        (tmp_path / "stop").touch()
        subprocess.run(["kill", pid(tmp_path)], check=True)


def pid(folder: Path) -> str:
    return (folder / "started").read_text().strip()


def run(folder: Path, lines: str) -> None:
    text = f"set -euo pipefail\n{FUNCTIONS}{lines}"
    subprocess.run(["bash", "-c", text], cwd=folder, check=True, timeout=60)


def test_a_static_pods_program_is_ended_and_another_waited_for(supervised: Path) -> None:
    before = pid(supervised)
    run(supervised, restart(Program("lab-a-program", "[ -e started ]"), unit=False))
    assert pid(supervised) != before


def test_where_nothing_has_changed_nothing_is_waited_for(supervised: Path) -> None:
    before = pid(supervised)
    program = Program("lab-a-program", "[ -e started ]")
    run(supervised, after_change(program, ":\n"))
    assert pid(supervised) == before
    run(supervised, after_change(program, "changed=yes\nkill $old\n"))
    assert pid(supervised) != before


@pytest.mark.parametrize("installer", list(Installer))
def test_the_script_of_each_node(plan: Plan, secrets: ClusterSecrets, installer: Installer) -> None:
    settings = settings_of(plan.kubernetes, Containerd(), emulated=True, control_planes=1)
    own = plan.by(installer)
    of = Installation(own, Membership(Containerd(), secrets, settings), ())
    host, worker = (renewal_script(of, node).text for node in (own.first_control_plane, own.workers[0]))
    for text in (host, worker):
        subprocess.run(["bash", "-n", "-c", text], check=True)
        assert len(text.encode()) < LONGEST_SCRIPT
        assert "systemctl restart kubelet.service" in text
    units = installer is Installer.BINARY
    assert ("kubeadm certs renew all" in host) is not units
    assert ("systemctl restart etcd.service" in host) is units
    assert ("systemctl restart kube-proxy.service" in worker) is units
    assert "kubeadm" not in worker
    order = [
        host.index(f"until_works {name} ")
        for name in ("etcd", "kube-apiserver", "kube-controller", "kubelet")
    ]
    assert order == sorted(order)
