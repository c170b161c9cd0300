"""The door to a LAN: on the command line, in topologies and in `lab up`; the host side is stood in for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from lab.cli import real_lan as commands
from lab.cli.main import cli
from lab.cli.tables import lan_line
from lab.doors.lan import LanOpening
from lab.doors.tied_door import Condition
from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.machines.machines import MachineState
from lab.operations import up
from lab.operations.context import Lab
from lab.operations.doors import wanted_doors
from lab.operations.doors.node_proxies import NodeProxies
from lab.operations.doors.real_lan import LanOpen, LanRow, open_lan
from lab.operations.doors.wanted_doors import WantedDoors
from lab.operations.up import UpRequest, bring_up
from lab.state.records import LabRecord, lab_folder, read_record, save_topology, write_record
from lab.topology.findings import TopologyError
from lab.topology.loader import find_topology, load_topology
from lab.topology.plan import Plan
from lab.topology.planner import make_plan
from tests.stand_in_site import PaperParts

OPEN = "lan: open; enp3s0 of this host is a port of underlay\n"


@dataclass
class Door:
    opening: LanOpening | None = None
    broken: str = ""
    opened: int = 0

    @property
    def condition(self) -> Condition:
        return Condition.OPEN if self.opening else Condition.CLOSED

    def open(self, plan: Plan, device: str, now: str) -> None:
        self.opening, self.broken = LanOpening(device, "underlay", now, None), ""
        self.opened += 1

    def close(self) -> None:
        self.opening = None


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Door:
    door = Door()
    monkeypatch.setattr(Lab, "real_lan", door)
    return door


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: Door) -> LabFolder:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    folder = lab_folder("a")
    save_topology(folder, find_topology("underlay-3node"))
    write_record(folder, LabRecord("a", mode="macvlan", supply="packages", created=""))
    folder.kubeconfig.touch()
    folder.known_hosts.parent.mkdir()
    folder.known_hosts.touch()
    plan = make_plan(load_topology(folder.topology))

    def opened(of: LabFolder, progress: SilentProgress) -> Lab:
        record = read_record(of)
        assert record is not None
        return Lab(of, record, plan, progress, PaperParts(of))

    monkeypatch.setattr(Lab, "open", opened)
    monkeypatch.setattr(Lab, "machine_states", lambda _: {"k8s-node1": MachineState.RUNNING})
    monkeypatch.setattr(commands, "the_lab", lambda _: folder)
    return folder


def said(*words: str) -> str:
    return CliRunner().invoke(cli, ("lan", *words)).stdout


@pytest.mark.usefixtures("folder")
def test_on_the_command_line(door: Door) -> None:
    assert said("status") == "lan: closed\n"
    assert said("open", "enp3s0").endswith(OPEN)
    assert said("status") == OPEN
    assert '"device": "enp3s0"' in said("status", "--json")
    said("open", "enp3s0")
    assert door.opened == 1
    door.broken = "what carries the frames ended"
    said("open", "enp3s0")
    assert door.opened == 2
    assert [said("close"), said("close")] == ["closed\n", "it was not open\n"]


def test_nodes_that_a_published_key_may_open_are_not_joined(folder: LabFolder, door: Door) -> None:
    folder.known_hosts.unlink()
    with pytest.raises(LabError, match="have no SSH keys of their own yet"):
        open_lan(folder, "enp3s0", SilentProgress())
    assert door.opening is None


def test_what_is_broken_is_told_with_what_mends_it() -> None:
    row = LanRow("broken", "enp3s0", "underlay", "now", "what carries the frames ended")
    assert lan_line(row).splitlines()[1] == (
        "wrong: lan: what carries the frames ended; `lab lan open enp3s0` mends it"
    )


def with_nic(tmp_path: Path, network: str, device: str) -> Path:
    topology = tmp_path / "topology.yaml"
    text = find_topology("underlay-3node").read_text()
    head, found, rest = text.partition(f"    role: {network}\n")
    topology.write_text(f"{head}{found}    host_nic: {device}\n{rest}")
    return topology


def test_a_topology_names_the_device_and_its_plan_is_the_same(tmp_path: Path) -> None:
    topology = load_topology(with_nic(tmp_path, "underlay", "enp3s0"))
    assert topology.host_nic == "enp3s0"
    assert make_plan(topology) == make_plan(load_topology(find_topology("underlay-3node")))


@pytest.mark.parametrize(
    ("network", "device", "wrong"),
    [
        (
            "uplink",
            "enp3s0",
            "found 'host_nic' on a network with the role 'uplink'",
        ),
        ("underlay", "'a b'", "the name of a network device of this host"),
    ],
)
def test_what_can_be_no_port_is_found_in_the_topology(
    tmp_path: Path, network: str, device: str, wrong: str
) -> None:
    with pytest.raises(TopologyError, match=wrong):
        load_topology(with_nic(tmp_path, network, device))


def test_up_looks_at_the_lan_before_anything_starts_and_joins_it_last(
    folder: LabFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    steps: list[object] = []

    def run_steps(_: Lab, listed: Sequence[object]) -> tuple[()]:
        steps.extend(listed)
        return ()

    asked: list[str] = []
    monkeypatch.setattr(up, "run_steps", run_steps)
    monkeypatch.setattr(up, "summary_of", lambda *_, **__: None)
    monkeypatch.setattr(wanted_doors, "require_joinable", lambda _, device: asked.append(device))
    topology = str(with_nic(tmp_path, "underlay", "enp3s0"))
    bring_up(UpRequest(topology, "macvlan", name="a"), SilentProgress())
    assert (asked, steps[-2:]) == (["enp3s0"], [LanOpen("enp3s0"), NodeProxies()])

    def taken(_: Plan, device: str) -> None:
        raise WrongUseError(f"{device} is a Wi-Fi device")

    steps.clear()
    monkeypatch.setattr(wanted_doors, "require_joinable", taken)
    request = UpRequest("underlay-3node", "macvlan", name="a", doors=WantedDoors(host_nic="wlan0"))
    with pytest.raises(WrongUseError, match="wlan0 is a Wi-Fi device"):
        bring_up(request, SilentProgress())
    assert steps == []
