"""Nodes that came back to an instant at which a door was open forget it where it is closed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from lab.doors.outside import Opening
from lab.doors.proxies import Proxies, none_are_offered, withdrawn
from lab.doors.through import ThroughOpening
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.images.through_nodes import ContainerdNode
from lab.nodes.pool import Nodes
from lab.operations.context import Lab
from lab.operations.doors.closed_doors import ClosedDoors
from lab.operations.steps import run_steps
from lab.state.records import LabRecord
from lab.topology.models import Runtime
from lab.topology.plan import Plan
from tests.operations.told_nodes import ToldNodes
from tests.stand_in_site import PaperParts

PROXIES = Proxies("http://a:1")
NO_REGISTRY, NO_PROXY = ContainerdNode().is_closed(), none_are_offered(Runtime.CONTAINERD)
FORGET_REGISTRY, FORGET_PROXY = ContainerdNode().closed(), withdrawn(Runtime.CONTAINERD)


@dataclass
class Door:
    opening: object


class Scene:
    """A lab with its doors, whose nodes know of all doors until they are told to forget them."""

    def __init__(self, plan: Plan, folder: LabFolder, monkeypatch: pytest.MonkeyPatch) -> None:
        self.nodes = ToldNodes(self._agrees)
        self._questions: list[str] = []
        record = LabRecord("a", mode="macvlan", supply="packages", created="", runtime="containerd")
        parts = PaperParts(folder, made_nodes=cast(Nodes, self.nodes))
        self.lab = Lab(folder, record, plan, SilentProgress(), parts)
        self._patch = monkeypatch
        self.let(through=False, proxies=False)

    def let(self, *, through: bool, proxies: bool) -> None:
        opening = ThroughOpening("192.168.31.1", 1, "now", None) if through else None
        out = Opening(("uplink",), False, False, "now", "10.0.2.0/24", None, PROXIES, PROXIES)
        self._patch.setattr(Lab, "pull_through", Door(opening))
        self._patch.setattr(Lab, "way_out", Door(out if proxies else None))

    def come_back(self) -> tuple[list[str], set[str]]:
        """What nodes are asked, and what they are told last."""
        run_steps(self.lab, (ClosedDoors(),))
        return self._questions, set(self.nodes.told.values())

    def _agrees(self, question: str, told: str) -> bool:
        self._questions = question.strip().split(" && ")
        return bool(told)


@pytest.fixture
def scene(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(plan, LabFolder(tmp_path / "a"), monkeypatch)


def test_what_an_open_door_has_left_goes_with_it(scene: Scene) -> None:
    assert scene.come_back() == ([NO_REGISTRY, NO_PROXY], {FORGET_PROXY})
    assert len(scene.nodes.told) == 3
    assert run_steps(scene.lab, (ClosedDoors(),)) == ()


def test_what_leads_to_an_open_door_stays(scene: Scene) -> None:
    scene.let(through=False, proxies=True)
    assert scene.come_back() == ([NO_REGISTRY], {FORGET_REGISTRY})
    scene.nodes.told.clear()
    scene.let(through=True, proxies=False)
    assert scene.come_back() == ([NO_PROXY], {FORGET_PROXY})


def test_while_all_are_open_nobody_is_asked(scene: Scene) -> None:
    scene.let(through=True, proxies=True)
    assert scene.come_back() == ([], set())
    assert scene.nodes.asked == 0
