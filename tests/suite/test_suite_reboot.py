"""What is asked after a node was booted anew, on a lab that is only pretended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from acceptance import investigation as investigating
from acceptance.cluster import ClusterPod
from acceptance.evidence import AfterReboot, Evidence
from acceptance.investigation import Investigation
from acceptance.pace import Pace
from acceptance.patience import Patience
from acceptance.problems import Problem
from acceptance.shell import SshConnections
from acceptance.workload import Pods

NODE2 = "k8s-node2"


class PretendedWorkload:
    """The suite's pods: all there, before and after."""

    def __init__(self, pods: Mapping[str, ClusterPod]) -> None:
        self._pods = pods
        self.renewed: set[str] = set()

    @property
    def roles(self) -> tuple[str, ...]:
        return tuple(self._pods)

    def pods(self) -> Mapping[str, ClusterPod]:
        return self._pods

    def wait_until_usable(
        self, roles: Iterable[str], seconds: float, renewed: Mapping[str, ClusterPod]
    ) -> Pods:
        self.renewed = set(renewed)
        return Pods({role: self._pods[role] for role in roles}, {})

    def wait_for_endpoints(self, *_: Any) -> tuple[Problem, ...]:
        return ()

    def all_pods_when_ready(self, seconds: float) -> tuple[ClusterPod, ...]:
        return ()


@pytest.fixture
def investigation(
    healthy: Evidence, usual_pace: Pace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Investigation:
    ssh = SshConnections(tmp_path / "ssh_config", tmp_path)
    patience = Patience(lambda: usual_pace, lambda _: None, 1)
    made = Investigation(healthy.inventory, healthy.expectations, ssh, patience, lambda _: None)
    monkeypatch.setattr(made, "_workload", PretendedWorkload(healthy.pods))
    monkeypatch.setattr(investigating, "reboot", lambda *_: None)
    monkeypatch.setattr(investigating, "start_netexec", lambda *_: None)
    return made


def test_only_what_touches_the_node_is_asked_and_known_of_others_is_what_they_said_before(
    healthy: Evidence, investigation: Investigation, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Evidence] = []

    def first_round(evidence: Evidence) -> Evidence:
        asked.append(evidence)
        return replace(evidence, facts={NODE2: healthy.facts[NODE2]})

    questioner: Any = investigation._questioner
    monkeypatch.setattr(questioner, "first_round", first_round)
    monkeypatch.setattr(questioner, "further_rounds", lambda evidence: evidence)
    seen = investigation.boot_anew(healthy.inventory.node(NODE2), healthy)
    assert isinstance(seen, AfterReboot)
    (evidence,) = asked
    assert evidence.pairs
    assert all(NODE2 in pair.label for pair in evidence.pairs)
    assert NODE2 in {question.port_of for question in evidence.questions}
    assert set(seen.evidence.findings) == {NODE2}
    assert seen.evidence.last_facts("k8s-node1") == healthy.facts["k8s-node1"]
    workload: Any = investigation._workload
    assert workload.renewed == {"probe-k8s-node2"}


def test_a_node_that_stays_away_is_a_problem(
    healthy: Evidence, investigation: Investigation, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = Problem("k8s-node2 is not back")
    monkeypatch.setattr(investigating, "reboot", lambda *_: away)
    assert investigation.boot_anew(healthy.inventory.node(NODE2), healthy) == away
