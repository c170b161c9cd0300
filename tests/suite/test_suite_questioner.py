"""Asking again: what is not settled yet is asked until it is right or time is up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from acceptance import questioner
from acceptance import test_services as services
from acceptance.asking import Machine, Round
from acceptance.controls import controls
from acceptance.diagnosis import Finding, Topic
from acceptance.evidence import Evidence, Replacement
from acceptance.expectations import Reach, ServiceWay
from acceptance.matrix import Endpoint, EndpointKind
from acceptance.probes import Answer, Probe, Protocol
from acceptance.problems import Problem, Unasked
from acceptance.questioner import Questioner
from acceptance.questions import ServiceQuestion
from acceptance.rounds import PAUSE_SECONDS, ROUNDS, SECONDS, RoundLimits
from acceptance.scope import Scope
from acceptance.shell import SshConnections
from acceptance.wanted import Probes, Wanted, silent_as_expected

NODE1 = Endpoint(EndpointKind.NODE, "k8s-node1")
NODE2 = "node.k8s-node2:udp"
OWN_POD = "pod.k8s-node1:udp"
SILENT = Answer.silence("i/o timeout")
REFUSED = Answer.unasked("commands on k8s-node1 failed: Connection refused")

Say = Callable[[int, Endpoint, Probe], Answer]
"""The answer in a round, the first is 1, to who asks."""


class Asked:
    """Stands for the machines: keeps what was asked, and answers what it is told to."""

    def __init__(self, say: Say) -> None:
        self.rounds: list[Probes] = []
        self.telling: list[set[str]] = []
        self._say = say

    def __call__(
        self,
        machines: Sequence[Machine],
        probes: Probes,
        facts_about: Mapping[str, Sequence[IPv4Address]] | None = None,
        **_: Any,
    ) -> Round:
        self.rounds.append(probes)
        self.telling.append(set(facts_about or {}))
        turn = len(self.rounds)
        said = {
            (sender, probe.key): self._say(turn, sender, probe)
            for sender, each in probes.items()
            for probe in each
        }
        return Round(said, {}, {})

    def keys(self, sender: Endpoint) -> list[list[str]]:
        """What a sender was told to ask, by round."""
        return [[probe.key for probe in each.get(sender, ())] for each in self.rounds]


def always(answer: Answer) -> Say:
    return lambda turn, sender, probe: answer


def but_controls(answer: Callable[[int], Answer]) -> Say:
    """Control questions are answered at once."""
    return lambda turn, sender, probe: Answer.heard() if probe.key.startswith("control:") else answer(turn)


@pytest.fixture(autouse=True)
def _no_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questioner, "findings_of", lambda evidence: {})


Make = Callable[[Say], tuple[Questioner, Asked]]


@pytest.fixture
def make(healthy: Evidence, tmp_path: Path, limits: RoundLimits) -> Make:
    def made(say: Say) -> tuple[Questioner, Asked]:
        asked, ssh = Asked(say), SshConnections(tmp_path / "ssh_config", tmp_path)
        return Questioner(healthy.inventory, ssh, limits, asked), asked

    return made


def changed(evidence: Evidence, answer: Answer) -> Evidence:
    """The same, but for what k8s-node1 got from k8s-node2 by UDP."""
    return replace(evidence, answers={**evidence.answers, (NODE1, NODE2): answer})


def test_the_first_round_asks_everything(healthy: Evidence, make: Make) -> None:
    questioner, asked = make(always(SILENT))
    evidence = questioner.first_round(replace(healthy, answers={}))
    assert set(evidence.answers) == set(healthy.answers)
    assert len(asked.rounds) == 1


def test_one_node_is_asked_about_and_the_others_tell_of_themselves_only_when_something_is_wrong(
    healthy: Evidence, make: Make
) -> None:
    questioner, asked = make(always(SILENT))
    evidence = questioner.first_round(replace(healthy, answers={}, scope=Scope("k8s-node2")))
    assert asked.telling == [{"k8s-node2"}]
    assert {probe.key.partition(":")[0] for probe in asked.rounds[0][NODE1]} == {
        "pod.k8s-node2",
        "node.k8s-node2",
    }
    assert all(evidence.cell(pair).problem is None for pair in evidence.pairs)
    questioner.further_rounds(evidence)
    assert asked.telling[1] == {"k8s-master1", "k8s-node1", "k8s-node2"}


def test_what_is_right_is_not_asked_again(healthy: Evidence, make: Make) -> None:
    questioner, asked = make(always(SILENT))
    assert questioner.further_rounds(healthy) == healthy
    assert asked.rounds == []


@pytest.mark.parametrize("unsettled", [SILENT, REFUSED], ids=["silent", "not asked"])
def test_only_what_is_not_settled_is_asked_again_until_it_answers(
    healthy: Evidence, make: Make, unsettled: Answer
) -> None:
    heard = Answer.heard("172.31.7.102:9")
    questioner, asked = make(lambda turn, sender, probe: heard if turn == 3 else unsettled)
    evidence = questioner.further_rounds(changed(healthy, unsettled))
    assert asked.keys(NODE1) == [[NODE2]] * 3
    assert evidence.answers[NODE1, NODE2] == replace(heard, tries=4 if unsettled is SILENT else 1)


def test_asking_again_ends_after_so_many_rounds(healthy: Evidence, make: Make, clock: Any) -> None:
    questioner, asked = make(always(SILENT))
    evidence = questioner.further_rounds(changed(healthy, SILENT))
    assert len(asked.rounds) == ROUNDS
    assert evidence.answers[NODE1, NODE2] == replace(SILENT, tries=1 + ROUNDS)
    assert clock.now == (ROUNDS - 1) * PAUSE_SECONDS


def test_asking_again_ends_when_time_is_up(healthy: Evidence, make: Make, clock: Any) -> None:
    def slow(turn: int, sender: Endpoint, probe: Probe) -> Answer:
        clock.now += 0.4 * SECONDS
        return SILENT

    questioner, asked = make(slow)
    questioner.further_rounds(changed(healthy, SILENT))
    assert len(asked.rounds) == 3


def test_the_documentation_tells_the_limits() -> None:
    page = Path(questioner.__file__).parent.parent / "docs" / "acceptance.md"
    said = " ".join(page.read_text().split())
    assert (
        f"in at most {ROUNDS} rounds, {PAUSE_SECONDS:.0f} seconds from one to the next,"
        f" none begun after {SECONDS:.0f} seconds"
    ) in said


def test_what_was_never_asked_stays_so_and_is_no_try(healthy: Evidence, make: Make) -> None:
    questioner, _ = make(always(REFUSED))
    evidence = questioner.further_rounds(changed(healthy, REFUSED))
    assert evidence.answers[NODE1, NODE2] == REFUSED


def test_silence_counts_only_beside_an_answer_to_the_same_sender(without_shim: Evidence, make: Make) -> None:
    def deaf(turn: int, sender: Endpoint, probe: Probe) -> Answer:
        return SILENT if sender == NODE1 else without_shim.answers[sender, probe.key]

    questioner, _ = make(deaf)
    evidence = questioner.first_round(replace(without_shim, answers={}))
    assert evidence.answers[NODE1, OWN_POD].error == (
        "no answer, but nobody who must answer node.k8s-node1 by udp did either"
    )
    assert not evidence.answers[NODE1, OWN_POD].asked
    assert evidence.answers[NODE1, NODE2] == SILENT
    others = {key: answer for key, answer in evidence.answers.items() if key[0] != NODE1}
    assert others == {key: answer for key, answer in without_shim.answers.items() if key[0] != NODE1}


def test_what_is_silent_as_expected_is_asked_once_more_at_the_end(without_shim: Evidence, make: Make) -> None:
    questioner, asked = make(but_controls(lambda turn: SILENT))
    evidence = questioner.further_rounds(without_shim)
    (keys,) = asked.keys(NODE1)
    assert set(keys) == {
        *(f"pod.k8s-node1:{protocol}" for protocol in Protocol),
        *(f"pod2.k8s-node1:{protocol}" for protocol in Protocol),
        *(f"control:{protocol}" for protocol in Protocol),
    }
    assert evidence.answers.keys() == without_shim.answers.keys()
    assert evidence.answers[NODE1, OWN_POD] == replace(SILENT, tries=2)


def test_who_answers_only_at_the_end_has_answered(without_shim: Evidence, make: Make) -> None:
    questioner, _ = make(always(Answer.heard("172.31.7.102:9")))
    assert questioner.further_rounds(without_shim).answers[NODE1, OWN_POD].answered


def test_silence_at_the_end_without_a_control_is_asked_again(without_shim: Evidence, make: Make) -> None:
    def late(turn: int, sender: Endpoint, probe: Probe) -> Answer:
        return Answer.heard() if turn == 3 and probe.key.startswith("control:") else SILENT

    questioner, asked = make(late)
    evidence = questioner.further_rounds(without_shim)
    assert len(asked.rounds) == 3
    assert evidence.answers[NODE1, OWN_POD].silent
    never, _ = make(always(SILENT))
    assert not never.further_rounds(without_shim).answers[NODE1, OWN_POD].asked


def test_a_control_asks_whoever_has_answered_before(without_shim: Evidence, make: Make) -> None:
    master = (NODE1, "pod.k8s-master1:udp")
    questioner, asked = make(but_controls(lambda turn: SILENT))
    questioner.further_rounds(without_shim)
    pod_of_another = str(without_shim.addresses[Endpoint(EndpointKind.POD, "k8s-master1")].ip)
    assert {probe.host for probe in asked.rounds[-1][NODE1] if probe.key.startswith("control:")} == {
        pod_of_another
    }
    silent = replace(without_shim, answers={**without_shim.answers, master: SILENT})
    added = {
        each.probe.protocol: each.probe
        for each in controls(silent_as_expected(silent), silent)
        if each.sender == NODE1
    }
    assert added[Protocol.PING].host == pod_of_another
    assert added[Protocol.UDP].host != pod_of_another


def test_who_may_reach_nobody_is_its_own_control(without_shim: Evidence) -> None:
    nothing = {way: Reach(answers=False) for way in without_shim.expectations.reach}
    expectations = without_shim.expectations.model_copy(update={"reach": nothing})
    (control,) = controls(
        [Wanted(NODE1, Probe("x", Protocol.UDP, "10.0.0.1", 1), must_answer=False)],
        replace(without_shim, expectations=expectations),
    )
    own = without_shim.addresses[NODE1]
    assert (control.probe.host, control.probe.port) == (str(own.ip), own.udp_port)


def test_a_name_that_was_not_asked_for_is_asked_for_again(without_shim: Evidence) -> None:
    pod = Endpoint(EndpointKind.POD, "k8s-node1")
    assert replace(without_shim, names={pod: Problem("the name does not resolve")}).wrong_names == {}
    unasked = Unasked("commands on k8s-node1 failed: Connection refused")
    assert replace(without_shim, names={pod: unasked}).wrong_names == {pod: unasked}


def test_a_finding_is_looked_at_again(healthy: Evidence, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    questioner_of_lab, asked = make(always(SILENT))
    finding = Finding("k8s-node1", Topic.KUBE_PROXY, "kube-proxy on k8s-node1 does not program rules")
    monkeypatch.setattr(
        questioner, "findings_of", lambda evidence: {} if asked.rounds else {"k8s-node1": (finding,)}
    )
    questioner_of_lab.further_rounds(healthy)
    assert asked.rounds == [{}]


def test_the_successor_is_waited_for(healthy: Evidence, make: Make) -> None:
    new = replace(healthy.pods["backend"], name="backend-new")
    questioner, asked = make(
        lambda turn, sender, probe: Answer.heard("backend-new" if turn == 2 else "backend-old")
    )
    probe = Probe("clusterip:tcp", Protocol.TCP, "10.96.1.2", 80, "hostname")
    question = ServiceQuestion(NODE1, ServiceWay.NODE_TO_CLUSTERIP_HERE, probe, "ClusterIP", by_backend=True)
    replacement = Replacement(healthy.pods["backend"], new, None)
    answers = questioner.ask_for_successor(healthy, (question,), replacement)
    assert answers[NODE1, "clusterip:tcp"] == replace(Answer.heard("backend-new"), tries=2)
    assert len(asked.rounds) == 2


@pytest.fixture
def lasting(healthy: Evidence) -> Replacement:
    """The pod behind the Service was replaced, and its successor has another address."""
    old = healthy.pods["backend"]
    return Replacement(old, replace(old, name="backend-new", address=IPv4Address("172.31.6.77")), None)


def test_nodes_and_the_lan_host_ask_for_the_deleted_pod_until_it_is_silent(
    healthy: Evidence, make: Make, lasting: Replacement
) -> None:
    questioner, asked = make(but_controls(lambda turn: Answer.heard() if turn == 1 else SILENT))
    gone = replace(lasting, answers=questioner.ask_for_successor(healthy, (), lasting))
    assert all(answer.silent for answer in gone.old_address_answers.values())
    assert len(asked.rounds) == 2
    assert {str(sender) for sender in asked.rounds[0]} == {
        "node.k8s-master1",
        "node.k8s-node1",
        "node.k8s-node2",
        "lan-host",
    }
    for probes in asked.rounds[0].values():
        assert [probe.key for probe in probes] == ["deleted pod", "control:ping"]
        assert probes[0].host == str(lasting.old.address)
    services.test_a_deleted_pod_is_gone(replace(healthy, replacement=gone))
    stubborn, _ = make(always(Answer.heard()))
    there = replace(lasting, answers=stubborn.ask_for_successor(healthy, (), lasting))
    with pytest.raises(pytest.fail.Exception, match=r"still answers node\.k8s-node1"):
        services.test_a_deleted_pod_is_gone(replace(healthy, replacement=there))


def test_a_deleted_pod_that_nobody_asked_for_is_not_gone(
    healthy: Evidence, make: Make, lasting: Replacement
) -> None:
    questioner, _ = make(lambda turn, sender, probe: REFUSED if sender == NODE1 else Answer.silence())
    asked = replace(lasting, answers=questioner.ask_for_successor(healthy, (), lasting))
    with pytest.raises(pytest.fail.Exception) as failed:
        services.test_a_deleted_pod_is_gone(replace(healthy, replacement=asked))
    said = str(failed.value)
    assert f"was not asked by node.k8s-node1: {REFUSED.error}" in said
    assert "was not asked by lan-host: no answer, but nobody who must answer lan-host by ping" in said
    with pytest.raises(AssertionError, match="nobody asked"):
        services.test_a_deleted_pod_is_gone(replace(healthy, replacement=lasting))


def test_an_address_that_the_successor_has_again_is_not_asked_for(healthy: Evidence, make: Make) -> None:
    old = healthy.pods["backend"]
    questioner, asked = make(always(SILENT))
    assert questioner.ask_for_successor(healthy, (), Replacement(old, replace(old, name="new"), None)) == {}
    assert asked.rounds == []
