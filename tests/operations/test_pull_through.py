"""When pull-through is opened, and what nodes are told then; the door and the nodes are stood in for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import cast

import pytest
from click.testing import CliRunner

from lab.cli import pull_through as commands
from lab.cli.main import cli
from lab.cli.tables import through_line
from lab.doors.through import ThroughOpening
from lab.doors.tied_door import Condition
from lab.foundation.errors import LabError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.images.through_nodes import ContainerdNode
from lab.machines.machines import MachineState
from lab.nodes.pool import Nodes
from lab.operations import up
from lab.operations.context import Lab
from lab.operations.doors.pull_through import (
    ThroughOpen,
    ThroughRow,
    close_through,
    open_through,
    through_status,
)
from lab.operations.doors.wanted_doors import WantedDoors
from lab.operations.steps import run_steps as steps_of
from lab.operations.up import UpRequest, bring_up
from lab.state.records import LabRecord, lab_folder, save_topology, write_record
from lab.topology.loader import find_topology, load_topology
from lab.topology.planner import make_plan
from tests.operations.told_nodes import ToldNodes
from tests.stand_in_site import PaperParts

NODES = ("k8s-master1", "k8s-node1", "k8s-node2")


@dataclass
class Door:
    """The host side."""

    opening: ThroughOpening | None = None
    condition: Condition = Condition.CLOSED
    broken: str = ""
    port: int = 40000

    def open(self, address: IPv4Address, _: object, now: str) -> ThroughOpening:
        self.port += 1
        self.opening = ThroughOpening(str(address), self.port, now, None)
        self.condition = Condition.OPEN
        return self.opening

    def close(self) -> None:
        self.opening, self.condition = None, Condition.CLOSED


def agrees(question: str, told: str) -> bool:
    """Whether the URL that is asked for is in what it was told."""
    return next(word for word in question.split('"') if word.startswith("http")) in told


@pytest.fixture
def nodes() -> ToldNodes:
    return ToldNodes(agrees)


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Door:
    door = Door()
    monkeypatch.setattr(Lab, "pull_through", door)
    return door


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nodes: ToldNodes, door: Door) -> LabFolder:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    folder = lab_folder("a")
    save_topology(folder, find_topology("underlay-3node"))
    write_record(folder, LabRecord("a", mode="macvlan", supply="packages", created="", runtime="containerd"))
    folder.kubeconfig.touch()
    plan = make_plan(load_topology(folder.topology))

    def opened(of: LabFolder, progress: SilentProgress) -> Lab:
        record = LabRecord("a", mode="macvlan", supply="packages", created="", runtime="containerd")
        return Lab(of, record, plan, progress, PaperParts(of, made_nodes=cast(Nodes, nodes)))

    monkeypatch.setattr(Lab, "open", opened)
    monkeypatch.setattr(Lab, "machine_states", lambda _: dict.fromkeys(NODES, MachineState.RUNNING))
    return folder


def opened(folder: LabFolder) -> ThroughRow:
    return open_through(folder, SilentProgress())


def test_all_nodes_are_told_where_it_is(folder: LabFolder, nodes: ToldNodes) -> None:
    row = opened(folder)
    assert (row.state, row.url) == ("open", "http://192.168.31.1:40001")
    assert nodes.told == dict.fromkeys(NODES, ContainerdNode().opened(row.url))


def test_open_already_nothing_is_done(folder: LabFolder, door: Door) -> None:
    opened(folder)
    assert opened(folder).url.endswith(":40001")


def test_broken_it_is_opened_anew_and_nodes_are_told(folder: LabFolder, door: Door, nodes: ToldNodes) -> None:
    opened(folder)
    door.condition = Condition.BROKEN
    row = opened(folder)
    assert row.url.endswith(":40002")
    assert all(row.url in text for text in nodes.told.values())


def test_after_a_return_to_a_snapshot_nodes_are_told_again(
    folder: LabFolder, door: Door, nodes: ToldNodes
) -> None:
    row = opened(folder)
    nodes.told.clear()
    lab = Lab.open(folder, SilentProgress())
    steps_of(lab, (ThroughOpen(if_open=True),))
    assert set(nodes.told) == set(NODES)
    assert through_status(folder).url == row.url


def test_closed_it_stays_closed_after_a_return_and_no_node_is_asked(
    folder: LabFolder, nodes: ToldNodes
) -> None:
    steps_of(Lab.open(folder, SilentProgress()), (ThroughOpen(if_open=True),))
    assert (nodes.told, nodes.asked) == ({}, 0)


def test_closing_lets_nodes_pull_as_before(folder: LabFolder, nodes: ToldNodes) -> None:
    opened(folder)
    assert [close_through(folder), close_through(folder)] == [True, False]
    assert nodes.told == dict.fromkeys(NODES, ContainerdNode().closed())
    assert through_status(folder) == ThroughRow("closed")


def test_a_paused_lab_is_refused(folder: LabFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lab, "machine_states", lambda _: dict.fromkeys(NODES, MachineState.PAUSED))
    with pytest.raises(LabError, match="the lab a is paused"):
        opened(folder)


@pytest.mark.parametrize(
    ("said", "asked", "wanted"),
    [("", False, False), ("", True, True), ("pull_through: true\n", False, True)],
)
def test_up_opens_it_where_it_is_wanted(
    folder: LabFolder,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    said: str,
    asked: bool,
    wanted: bool,
) -> None:
    topology = tmp_path / "topology.yaml"
    topology.write_text(find_topology("underlay-3node").read_text() + said)
    steps: list[object] = []

    def run_steps(_: Lab, listed: Sequence[object]) -> tuple[()]:
        steps.extend(listed)
        return ()

    monkeypatch.setattr(up, "run_steps", run_steps)
    monkeypatch.setattr(up, "summary_of", lambda *_, **__: None)
    request = UpRequest(str(topology), "macvlan", name="a", doors=WantedDoors(pull_through=asked))
    bring_up(request, SilentProgress())
    assert [each for each in steps if isinstance(each, ThroughOpen)] == [ThroughOpen(if_open=not wanted)]


def test_on_the_command_line(folder: LabFolder, monkeypatch: pytest.MonkeyPatch, door: Door) -> None:
    monkeypatch.setattr(commands, "the_lab", lambda _: folder)

    def said(*words: str) -> str:
        return CliRunner().invoke(cli, ("image", "through", *words)).stdout

    assert said("status") == "pull-through: closed\n"
    line = "pull-through: open; nodes pull images from http://192.168.31.1:40001\n"
    assert said("open").endswith(line)
    assert said("status") == line
    assert '"state": "open"' in said("status", "--json")
    assert said("close") == "closed\n"
    assert said("close") == "it was not open\n"


def test_what_is_broken_is_told_with_what_mends_it() -> None:
    row = ThroughRow("broken", "http://192.168.31.1:40001", "now", "docker-registry ended")
    assert through_line(row).splitlines()[1] == (
        "wrong: pull-through: docker-registry ended; `lab image through open` mends it"
    )
