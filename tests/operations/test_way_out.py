"""When the door out is opened, in which way, and when it is left alone; the door is stood in for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab.doors.outside import Opening
from lab.doors.proxies import Proxies
from lab.doors.tied_door import Condition
from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.operations import up
from lab.operations.context import Lab
from lab.operations.doors import outside
from lab.operations.doors.outside import DoorOut, OutsideRequest, close_outside, open_outside, outside_status
from lab.operations.doors.wanted_doors import WantedDoors
from lab.operations.status import OutsideRow
from lab.operations.steps import run_steps
from lab.operations.up import UpRequest, bring_up
from lab.state.records import LabRecord, lab_folder, save_topology, write_record
from lab.topology.plan import Plan
from tests.conftest import TOPOLOGIES

LIKE_THIS = OutsideRequest(("uplink", "underlay"), allow_lan=True)


@dataclass
class StandInDoor:
    opening: Opening | None = None
    condition: Condition = Condition.CLOSED
    broken: str = ""
    opened: list[OutsideRequest] = field(default_factory=list)

    def open(
        self,
        plan: Plan,
        networks: Sequence[str],
        *,
        allow_host: bool,
        allow_lan: bool,
        found: Proxies,
        now: str,
    ) -> Opening:
        self.opened.append(OutsideRequest(tuple(networks), allow_host, allow_lan, found))
        self.opening = Opening(tuple(networks), allow_host, allow_lan, now, "10.0.2.0/24", None, found, found)
        self.condition, self.broken = Condition.OPEN, ""
        return self.opening

    def close(self) -> None:
        self.opening, self.condition = None, Condition.CLOSED

    def damage(self) -> None:
        self.condition, self.broken = Condition.BROKEN, "dnsmasq ended"


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> StandInDoor:
    door = StandInDoor()
    monkeypatch.setattr(Lab, "way_out", door)
    monkeypatch.setattr(Lab, "require_running", lambda _: None)
    monkeypatch.setattr(outside, "require_programs", lambda: None)
    monkeypatch.setattr("lab.doors.outside.require_programs", lambda: None)
    return door


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LabFolder:
    """Of a lab on record."""
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    folder = lab_folder("a")
    save_topology(folder, TOPOLOGIES / "underlay-3node.yaml")
    write_record(folder, LabRecord("a", mode="macvlan", supply="packages", created="", ready=True))
    return folder


def test_it_is_opened_from_the_uplink(folder: LabFolder, door: StandInDoor) -> None:
    assert outside_status(folder) == OutsideRow("closed")
    row = open_outside(folder, OutsideRequest(allow_host=True), SilentProgress())
    assert (row.state, row.networks, row.host_address) == ("open", ("uplink",), "10.0.2.2")
    assert outside_status(folder) == row


def test_what_is_open_as_wanted_is_left_alone(folder: LabFolder, door: StandInDoor) -> None:
    for request in (OutsideRequest(), OutsideRequest(("uplink",)), LIKE_THIS, OutsideRequest()):
        open_outside(folder, request, SilentProgress())
    default = OutsideRequest(("uplink",))
    assert door.opened == [default, LIKE_THIS, default]


def test_what_is_broken_is_opened_again(folder: LabFolder, door: StandInDoor) -> None:
    open_outside(folder, LIKE_THIS, SilentProgress())
    door.damage()
    assert outside_status(folder).broken == "dnsmasq ended"
    open_outside(folder, LIKE_THIS, SilentProgress())
    assert door.opened == [LIKE_THIS, LIKE_THIS]


def test_without_a_wish_it_stays_as_it_was_opened(folder: LabFolder, door: StandInDoor) -> None:
    lab = Lab.open(folder, SilentProgress())
    run_steps(lab, (DoorOut(),))
    assert door.opened == [OutsideRequest(("uplink",))]
    run_steps(lab, (DoorOut(LIKE_THIS), DoorOut()))
    door.damage()
    run_steps(lab, (DoorOut(),))
    assert door.opened[1:] == [LIKE_THIS, LIKE_THIS]


def test_a_network_that_is_not_there_is_refused(folder: LabFolder, door: StandInDoor) -> None:
    with pytest.raises(WrongUseError, match="the lab has no network wan") as refused:
        open_outside(folder, OutsideRequest(("wan",)), SilentProgress())
    assert refused.value.resolution == "use one of: uplink, underlay, management, storage"
    assert door.opened == []


def test_closing_tells_whether_it_was_open(folder: LabFolder, door: StandInDoor) -> None:
    open_outside(folder, OutsideRequest(), SilentProgress())
    assert [close_outside(folder), close_outside(folder)] == [True, False]


@pytest.mark.parametrize(
    ("said", "asked", "wanted"),
    [
        ("", False, False),
        ("", True, True),
        ("outside: nat\n", False, True),
        ("outside: closed\n", True, True),
    ],
)
def test_up_opens_it_last(
    folder: LabFolder,
    door: StandInDoor,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    said: str,
    asked: bool,
    wanted: bool,
) -> None:
    topology = tmp_path / "topology.yaml"
    topology.write_text((TOPOLOGIES / "underlay-3node.yaml").read_text() + said)
    steps: list[str] = []

    def run_steps(_: Lab, listed: Sequence[object]) -> tuple[()]:
        steps.extend(type(step).__name__ for step in listed)
        return ()

    monkeypatch.setattr(up, "run_steps", run_steps)
    monkeypatch.setattr(up, "summary_of", lambda *_, **__: None)
    bring_up(UpRequest(str(topology), "macvlan", name="a", doors=WantedDoors(asked)), SilentProgress())
    assert ("DoorOut" in steps) == wanted
    assert not wanted or steps[-2:] == ["DoorOut", "NodeProxies"]


def test_up_needs_its_programs_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    monkeypatch.setattr("lab.doors.programs.search_path", str)
    monkeypatch.setattr(up, "run_steps", lambda *_: pytest.fail("nothing is to start"))
    with pytest.raises(LabError, match="slirp4netns"):
        bring_up(UpRequest("underlay-3node", name="b", doors=WantedDoors(outside=True)), SilentProgress())
    assert not lab_folder("b").root.exists()
