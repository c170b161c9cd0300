"""When nodes are told of the host's proxies, and when no more; door and nodes are stood in for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from lab.doors.outside import Opening
from lab.doors.proxies import NO_PROXIES, Proxies, are_offered, offered, withdrawn
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.nodes.pool import Nodes
from lab.operations.context import Lab
from lab.operations.doors.node_proxies import NodeProxies, withdraw_proxies
from lab.operations.steps import run_steps
from lab.state.records import LabRecord
from lab.topology.models import Runtime
from lab.topology.plan import Plan
from tests.operations.told_nodes import ToldNodes
from tests.stand_in_site import PaperParts

SOME = Proxies("http://a:1", "http://a:1", "10.0.0.0/8")


def agrees(question: str, told: str) -> bool:
    assert question == are_offered(SOME, Runtime.CONTAINERD)
    return told == offered(SOME, Runtime.CONTAINERD)


@dataclass
class Door:
    opening: Opening | None


@pytest.fixture
def nodes() -> ToldNodes:
    return ToldNodes(agrees)


@pytest.fixture
def lab(plan: Plan, nodes: ToldNodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    folder = LabFolder(tmp_path / "a")
    record = LabRecord("a", mode="macvlan", supply="packages", created="", runtime="containerd")
    monkeypatch.setattr(Lab, "all_running", True)
    return Lab(folder, record, plan, SilentProgress(), PaperParts(folder, made_nodes=cast(Nodes, nodes)))


def opened_with(proxies: Proxies, monkeypatch: pytest.MonkeyPatch) -> None:
    opening = Opening(("uplink",), False, False, "now", "10.0.2.0/24", None, proxies, proxies)
    monkeypatch.setattr(Lab, "way_out", Door(opening))


def test_all_nodes_are_told_once(lab: Lab, nodes: ToldNodes, monkeypatch: pytest.MonkeyPatch) -> None:
    opened_with(SOME, monkeypatch)
    assert [step.name for step in run_steps(lab, (NodeProxies(),))] == [NodeProxies.name]
    assert nodes.told == {node.name: offered(SOME, Runtime.CONTAINERD) for node in lab.plan.nodes}
    assert run_steps(lab, (NodeProxies(),)) == ()


def test_a_node_that_has_forgotten_is_told_again(
    lab: Lab, nodes: ToldNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened_with(SOME, monkeypatch)
    run_steps(lab, (NodeProxies(),))
    del nodes.told["k8s-node1"]
    assert len(run_steps(lab, (NodeProxies(),))) == 1
    assert "k8s-node1" in nodes.told


def test_without_proxies_and_without_a_door_nobody_is_asked(
    lab: Lab, nodes: ToldNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened_with(NO_PROXIES, monkeypatch)
    assert run_steps(lab, (NodeProxies(),)) == ()
    monkeypatch.setattr(Lab, "way_out", Door(None))
    assert run_steps(lab, (NodeProxies(),)) == ()
    assert nodes.told == {}


def test_only_who_was_told_of_some_is_told_of_none(lab: Lab, nodes: ToldNodes) -> None:
    withdraw_proxies(lab, NO_PROXIES)
    assert nodes.told == {}
    withdraw_proxies(lab, SOME)
    assert set(nodes.told.values()) == {withdrawn(Runtime.CONTAINERD)}
