"""What `lab status` says of a lab whose machines run; the API server and sshd are stood in for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.cluster.api import ApiError
from lab.cluster.objects import NodeState
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.host.enclosure import Enclosure
from lab.machines.machines import MachineState
from lab.nodes.connection import NodeConnection
from lab.operations import status as module
from lab.operations.context import Lab
from lab.operations.status import API_LIMIT, status_of
from lab.state.records import LabRecord
from lab.topology.plan import Plan

NAMES = ("k8s-master1", "k8s-node1", "k8s-node2")


class StandInApi:
    """Lists these nodes, or is silent without any."""

    def __init__(self, *nodes: NodeState) -> None:
        self.listed = nodes
        self.patience: list[float] = []

    def nodes(self, seconds: float) -> list[NodeState]:
        self.patience.append(seconds)
        if not self.listed:
            raise ApiError("list the nodes: no answer", "timed out")
        return list(self.listed)


def node(name: str, *, ready: bool = True) -> NodeState:
    return NodeState(name, {}, ready, "it is well" if ready else "it stopped", "v1.24.10")


@pytest.fixture
def lab(tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Its machines run; sshd of k8s-node2 is silent; the cluster tells of one problem."""
    made = Lab(
        LabFolder(tmp_path / "a"),
        LabRecord("a", mode="macvlan", supply="packages", created="", ready=True),
        plan,
        SilentProgress(),
    )
    made.folder.root.mkdir()
    made.folder.kubeconfig.touch()
    monkeypatch.setattr(Lab, "machine_states", lambda _: dict.fromkeys(NAMES, MachineState.RUNNING))
    monkeypatch.setattr(Enclosure, "enter_network", lambda _: None)
    monkeypatch.setattr(Lab, "mode_setup", SimpleNamespace(workloads=()))
    monkeypatch.setattr(module, "cluster_problems", lambda *_: ("kube-proxy is not running on k8s-node1",))
    monkeypatch.setattr(module, "starvation", lambda _: ())
    monkeypatch.setattr(
        NodeConnection,
        "why_silent",
        lambda connection, _: "timed out" if connection.node == "k8s-node2" else None,
    )
    return made


def seen(lab: Lab, api: StandInApi, **words: Any) -> tuple[list[str], tuple[str, ...]]:
    """The nodes' conditions, and the problems."""
    lab.__dict__["api"] = api
    status = status_of(lab, **words)
    return [each.condition for each in status.nodes], status.problems


def test_nodes_and_problems_of_a_cluster_that_answers(lab: Lab) -> None:
    api = StandInApi(*map(node, NAMES[:2]), node("k8s-node2", ready=False))
    conditions, problems = seen(lab, api)
    assert conditions == ["Ready", "Ready", "NotReady: it stopped"]
    assert problems[0] == "kube-proxy is not running on k8s-node1"
    assert problems[1].startswith("the machine of k8s-node2 runs, its sshd does not answer: timed out;")
    assert len(problems) == 2


def test_an_api_server_that_is_silent_is_asked_once_and_not_for_long(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked_again(*_: object) -> tuple[str, ...]:
        raise AssertionError("the API server was asked again")

    monkeypatch.setattr(module, "cluster_problems", asked_again)
    api = StandInApi()
    conditions, problems = seen(lab, api)
    assert api.patience == [API_LIMIT]
    assert conditions == ["unknown"] * 3
    assert problems[0] == "list the nodes: no answer"
    assert problems[1].startswith("the machine of k8s-node2 runs, its sshd does not answer")


def test_where_all_was_seen_to_be_well_no_problem_is_looked_for(lab: Lab) -> None:
    conditions, problems = seen(lab, StandInApi(*map(node, NAMES)), seen_well=True)
    assert (conditions, problems) == (["Ready"] * 3, ())
