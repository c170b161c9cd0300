"""Forwards as processes, into the network of an enclosure without machines; and what refuses one."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.doors.record import Forward, end_forwards, running_forwards
from lab.doors.spec import LOOPBACKS, ForwardSpec
from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.host.enclosure import Enclosure
from lab.host.process_identity import ProcessIdentity, processes_in
from lab.machines.machines import MachineState
from lab.operations.context import Lab
from lab.operations.doors import forwarding
from lab.operations.doors.forward_targets import target_named
from lab.operations.doors.forwarding import (
    forwarded,
    open_ports,
    serve_in_background,
    stop_forwards,
    targets_of,
)
from lab.operations.down import take_down
from lab.state.records import LabRecord, save_topology, write_record
from lab.topology.plan import Plan
from tests.conftest import TOPOLOGIES
from tests.stand_in_site import PaperParts, put_box

DIGEST = "0" * 64
NODE = "k8s-node1"
ADDRESS = "172.31.7.102"
"""Of that node; the enclosure of these tests has it itself."""
RECORD = LabRecord("a", mode="macvlan", supply="packages", created="", ready=True, box_digest=DIGEST)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LabFolder]:
    """Of a lab on record, whose path is short enough for a socket."""
    home = Path(tempfile.mkdtemp(prefix="home-"))
    monkeypatch.setenv("LAB_HOME", str(home))
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    put_box(DIGEST)
    folder = LabFolder(home / "labs" / "a")
    save_topology(folder, TOPOLOGIES / "underlay-3node.yaml")
    write_record(folder, RECORD)
    yield folder
    end_forwards(folder, running_forwards(folder))
    shutil.rmtree(home)


@pytest.fixture
def lab(folder: LabFolder) -> Iterator[Lab]:
    """Its namespaces run, and have the address of a node."""
    if os.geteuid() != 0 or shutil.which("libvirtd") is None:
        pytest.skip("enclosures need root and libvirtd")
    enclosure = Enclosure(folder)
    enclosure.start()
    subprocess.run(
        enclosure.network_command(["ip", "address", "add", f"{ADDRESS}/32", "dev", "lo"]), check=True
    )
    yield Lab.open(folder, SilentProgress())
    enclosure.stop()


@pytest.fixture
def web(lab: Lab) -> Iterator[socket.socket]:
    """Listens there."""
    with lab.site.listen(ADDRESS) as door:
        door.settimeout(30)
        yield door


def start(lab: Lab, web: socket.socket, port: int = 0) -> Forward:
    target = f"{NODE}:{web.getsockname()[1]}"
    with ExitStack() as stack:
        ports = open_ports([ForwardSpec(LOOPBACKS, port, target)], stack)
        (forward,) = serve_in_background(lab, ports, [target_named(lab, target)])
    return forward


def talk(port: int, web: socket.socket, address: str = LOOPBACKS[0]) -> None:
    with socket.create_connection((address, port), timeout=30) as asking:
        asking.sendall(b"hello")
        answering, _ = web.accept()
        with answering:
            assert answering.recv(5) == b"hello"


def wait_for_end(process: ProcessIdentity) -> None:
    def ended() -> None:
        if process.alive:
            raise NotYetError("it lives")

    wait_for(ended, what="end of the forward", deadline=Deadline(30), interval=0.05)


def test_a_forward_outlives_a_sigkill_of_itself_by_the_same_command(lab: Lab, web: socket.socket) -> None:
    killed = start(lab, web)
    for address in LOOPBACKS:
        talk(killed.port, web, address)
    os.kill(killed.process.pid, signal.SIGKILL)
    wait_for_end(killed.process)
    again = start(lab, web, killed.port)
    talk(again.port, web)
    assert running_forwards(lab.folder) == (again,)
    assert stop_forwards(lab.folder, [again.port]) == (again,)
    with pytest.raises(ConnectionRefusedError):
        talk(again.port, web)
    assert list(lab.folder.forwards.iterdir()) == []


def test_a_port_that_a_forward_has_is_refused_with_its_name(lab: Lab, web: socket.socket) -> None:
    forward = start(lab, web)
    with pytest.raises(LabError) as refused:
        start(lab, web, forward.port)
    assert refused.value.details == (
        f"the lab a forwards port {forward.port} to {forward.target} (process {forward.process.pid})"
    )
    assert refused.value.resolution == f"lab forward --stop {forward.port} --name a"


def test_taking_the_lab_down_ends_it(lab: Lab, web: socket.socket) -> None:
    init = lab.site.init_pid
    identity = ProcessIdentity.of(init) if init is not None else None
    assert identity is not None
    with identity.holding_namespace("net") as namespace:
        assert namespace is not None
        without = set(processes_in(namespace, "net"))
        forward = start(lab, web)
        talk(forward.port, web)
        assert set(processes_in(namespace, "net")) > without, "what makes its sockets is there"
        take_down(lab.folder, SilentProgress())
        assert not forward.process.alive
        assert not lab.folder.root.exists()
        assert set(processes_in(namespace, "net")) <= without


def test_one_whose_lab_is_gone_ends_by_itself(lab: Lab, web: socket.socket) -> None:
    forward = start(lab, web)
    lab.folder.forwards.rename(lab.folder.root / "elsewhere")
    wait_for_end(forward.process)


def test_one_that_cannot_start_is_told(lab: Lab, web: socket.socket, folder: LabFolder) -> None:
    folder.state.write_text("{")
    with pytest.raises(LabError, match="ended while it started") as refused:
        start(lab, web)
    assert "the record of lab a cannot be read" in (refused.value.details or "")


def test_what_is_forwarded_already_is_used_again(
    lab: Lab, web: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarding, "_require_open", lambda _: None)
    target = f"{NODE}:{web.getsockname()[1]}"
    with socket.create_server((LOOPBACKS[0], 0)) as taken:
        first = forwarded(lab, target, taken.getsockname()[1])
    assert first.listens == (f"127.0.0.1:{first.port}", f"[::1]:{first.port}")
    assert forwarded(lab, target) == first
    assert forwarded(lab, f"{NODE}:9") != first


def test_a_port_that_is_none_of_its_is_refused(folder: LabFolder) -> None:
    with pytest.raises(WrongUseError, match="the lab a forwards no port 8080"):
        stop_forwards(folder, [8080])
    assert stop_forwards(folder, []) == ()


def test_all_ports_that_are_taken_are_told_at_once() -> None:
    with ExitStack() as stack:
        doors = [stack.enter_context(socket.create_server((LOOPBACKS[0], 0))) for _ in range(2)]
        specs = [ForwardSpec(LOOPBACKS, door.getsockname()[1], "api") for door in doors]
        with pytest.raises(LabError) as refused, ExitStack() as opened:
            open_ports(specs, opened)
        assert refused.value.brief.count("is taken") == 2


class InState:
    def __init__(self, *states: MachineState) -> None:
        self._states = states

    def states(self) -> Mapping[str, MachineState]:
        return dict(zip(("k8s-master1", "k8s-node1", "k8s-node2"), self._states, strict=True))


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ((MachineState.PAUSED,) * 3, "the lab a is paused\nHow to fix it: lab resume --name a"),
        (
            (MachineState.RUNNING, MachineState.NOT_CREATED, MachineState.RUNNING),
            "not all machines of the lab a run: k8s-node1 (not created)\n"
            "How to fix it: lab up --topology underlay-3node --name a",
        ),
    ],
)
def test_a_lab_that_is_not_up_is_refused(
    folder: LabFolder, plan: Plan, states: tuple[MachineState, ...], said: str
) -> None:
    lab = Lab(folder, RECORD, plan, SilentProgress(), PaperParts(folder, InState(*states)))
    with pytest.raises(LabError) as refused:
        targets_of(lab, [f"{NODE}:22"])
    assert str(refused.value) == said


def test_a_lab_that_is_up_is_not(folder: LabFolder, plan: Plan) -> None:
    machines = InState(*(MachineState.RUNNING,) * 3)
    lab = Lab(folder, RECORD, plan, SilentProgress(), PaperParts(folder, machines))
    assert [str(target) for target in targets_of(lab, [f"{NODE}:22"])] == [f"{NODE}:22"]
