"""Asking again: what is not settled yet is asked until it is right or time is up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from acceptance import questioner
from acceptance.asking import Machine, Round
from acceptance.diagnosis import Finding, Topic
from acceptance.evidence import Evidence, Replacement
from acceptance.expectations import ServiceWay
from acceptance.matrix import Endpoint, EndpointKind
from acceptance.probes import Answer, Probe, Protocol
from acceptance.questioner import Probes, Questioner
from acceptance.questions import ServiceQuestion
from acceptance.scope import Scope
from acceptance.shell import SshConnections

NODE1 = Endpoint(EndpointKind.NODE, "k8s-node1")
NODE2 = "node.k8s-node2:udp"
SILENT = Answer(False, error="i/o timeout")


class Asked:
    """Stands for the machines: keeps what was asked, and answers what it is told to."""

    def __init__(self, answer: Callable[[int], Answer]) -> None:
        self.rounds: list[Probes] = []
        self.telling: list[set[str]] = []
        self._answer = answer

    def __call__(
        self,
        machines: Sequence[Machine],
        probes: Probes,
        facts_about: Mapping[str, Sequence[IPv4Address]] | None = None,
        **_: Any,
    ) -> Round:
        self.rounds.append(probes)
        self.telling.append(set(facts_about or {}))
        said = self._answer(len(self.rounds))
        return Round({(sender, probe.key): said for sender, each in probes.items() for probe in each}, {}, {})


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questioner, "SETTLE_SECONDS", 0.3)
    monkeypatch.setattr(questioner, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(questioner, "findings_of", lambda evidence: {})


@pytest.fixture
def asking(healthy: Evidence, tmp_path: Path) -> Questioner:
    return Questioner(healthy.inventory, SshConnections(tmp_path / "ssh_config", tmp_path))


def _asked(monkeypatch: pytest.MonkeyPatch, answer: Callable[[int], Answer]) -> Asked:
    asked = Asked(answer)
    monkeypatch.setattr(questioner, "ask", asked)
    return asked


def test_the_first_round_asks_everything(
    healthy: Evidence, asking: Questioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _asked(monkeypatch, lambda _: SILENT)
    evidence = asking.first_round(replace(healthy, answers={}))
    assert set(evidence.answers) == set(healthy.answers)
    assert len(asked.rounds) == 1


def test_one_node_is_asked_about_and_the_others_tell_of_themselves_only_when_something_is_wrong(
    healthy: Evidence, asking: Questioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _asked(monkeypatch, lambda _: SILENT)
    evidence = asking.first_round(replace(healthy, answers={}, scope=Scope("k8s-node2")))
    assert asked.telling == [{"k8s-node2"}]
    assert {probe.key.partition(":")[0] for probe in asked.rounds[0][NODE1]} == {
        "pod.k8s-node2",
        "node.k8s-node2",
    }
    assert all(evidence.cell(pair).problem is None for pair in evidence.pairs)
    asking.further_rounds(evidence)
    assert asked.telling[1] == {"k8s-master1", "k8s-node1", "k8s-node2"}


def test_what_is_right_is_not_asked_again(
    healthy: Evidence, asking: Questioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _asked(monkeypatch, lambda _: SILENT)
    assert asking.further_rounds(healthy) == healthy
    assert asked.rounds == []


def test_only_what_was_silent_is_asked_again_until_it_answers(
    healthy: Evidence, asking: Questioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _asked(monkeypatch, lambda turn: Answer(True, "172.31.7.102:9") if turn == 3 else SILENT)
    evidence = asking.further_rounds(replace(healthy, answers={**healthy.answers, (NODE1, NODE2): SILENT}))
    assert [[probe.key for probe in each[NODE1]] for each in asked.rounds] == [[NODE2]] * 3
    assert evidence.answers[NODE1, NODE2].answered


def test_asking_again_ends(healthy: Evidence, asking: Questioner, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _asked(monkeypatch, lambda _: SILENT)
    evidence = asking.further_rounds(replace(healthy, answers={**healthy.answers, (NODE1, NODE2): SILENT}))
    assert not evidence.answers[NODE1, NODE2].answered
    assert 2 <= len(asked.rounds) <= 8


def test_a_finding_is_looked_at_again(
    healthy: Evidence, asking: Questioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _asked(monkeypatch, lambda _: SILENT)
    finding = Finding("k8s-node1", Topic.KUBE_PROXY, "kube-proxy on k8s-node1 does not program rules")
    monkeypatch.setattr(
        questioner, "findings_of", lambda evidence: {} if asked.rounds else {"k8s-node1": (finding,)}
    )
    asking.further_rounds(healthy)
    assert asked.rounds == [{}]


def test_the_successor_is_waited_for(
    healthy: Evidence, asking: Questioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = replace(healthy.pods["backend"], name="backend-new")
    asked = _asked(monkeypatch, lambda turn: Answer(True, "backend-new" if turn == 2 else "backend-old"))
    probe = Probe("clusterip:tcp", Protocol.TCP, "10.96.1.2", 80, "hostname")
    question = ServiceQuestion(NODE1, ServiceWay.NODE_TO_CLUSTERIP_HERE, probe, "ClusterIP", by_backend=True)
    replacement = Replacement(healthy.pods["backend"], new, None)
    answers = asking.ask_for_successor(healthy, (question,), replacement)
    assert answers[NODE1, "clusterip:tcp"].body == "backend-new"
    assert len(asked.rounds) == 2


def test_nodes_and_the_lan_host_ask_for_the_deleted_pod_until_it_is_silent(
    healthy: Evidence, asking: Questioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = healthy.pods["backend"]
    new = replace(old, name="backend-new", address=IPv4Address("172.31.6.77"))
    lasting = Replacement(old, new, None)
    gone = _asked(monkeypatch, lambda turn: Answer(True) if turn == 1 else SILENT)
    answers = asking.ask_for_successor(healthy, (), lasting)
    assert replace(lasting, answers=answers).old_address_answers == ()
    assert len(gone.rounds) == 2
    assert {str(sender) for sender in gone.rounds[0]} == {
        "node.k8s-master1",
        "node.k8s-node1",
        "node.k8s-node2",
        "lan-host",
    }
    assert {probe.host for each in gone.rounds[0].values() for probe in each} == {str(old.address)}
    _asked(monkeypatch, lambda _: Answer(True))
    answers = asking.ask_for_successor(healthy, (), lasting)
    assert NODE1 in replace(lasting, answers=answers).old_address_answers


def test_an_address_that_the_successor_has_again_is_not_asked_for(
    healthy: Evidence, asking: Questioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = healthy.pods["backend"]
    asked = _asked(monkeypatch, lambda _: SILENT)
    assert asking.ask_for_successor(healthy, (), Replacement(old, replace(old, name="new"), None)) == {}
    assert asked.rounds == []
