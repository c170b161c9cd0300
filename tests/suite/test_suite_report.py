"""From evidence to messages: what a person reads when a check fails."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from acceptance import conftest as suite
from acceptance.diagnosis import Finding, Topic
from acceptance.evidence import Evidence, role_of
from acceptance.matrix import Endpoint, EndpointKind, Pair
from acceptance.probes import Answer
from acceptance.problems import Problem
from acceptance.report import (
    OWN_WORDS,
    causes,
    cell_failure,
    cell_seen,
    judge,
    known_causes,
    late_answers,
    matrix_table,
    own_words,
)

NODE1 = "k8s-node1"


def _pair(evidence: Evidence, label: str) -> Pair:
    return next(pair for pair in evidence.pairs if pair.label == label)


def test_when_all_is_as_expected_no_cell_fails(healthy: Evidence) -> None:
    assert [judge(healthy, pair) for pair in healthy.pairs if judge(healthy, pair)] == []
    assert not {"NO", "YES", "NOT", "ANSWERS"} & set(matrix_table(healthy).split())


def test_each_answer_matters(healthy: Evidence) -> None:
    """Turn every single answer round: the cell it belongs to must fail, whatever is expected."""
    by_key = {
        (pair.sender, f"{pair.target}:{protocol}"): pair
        for pair in healthy.pairs
        for protocol in pair.target.protocols
    }
    for key, answer in healthy.answers.items():
        unasked = replace(healthy, answers={**healthy.answers, key: Answer.unasked("refused")})
        assert judge(unasked, by_key[key]), key
        turned = Answer.silence("i/o timeout") if answer.answered else Answer.heard("1.2.3.4:5")
        changed = replace(healthy, answers={**healthy.answers, key: turned})
        assert judge(changed, by_key[key]), key


def test_what_was_seen_is_told_of_a_good_cell_too(healthy: Evidence) -> None:
    pair = _pair(healthy, "pod.k8s-node2-to-pod.k8s-node1")
    source = healthy.addresses[pair.sender].ip
    assert cell_seen(healthy, pair).splitlines() == [
        "pod.k8s-node2 to pod.k8s-node1 (172.31.6.2)",
        f"ping: answered, the target saw {source}:4000",
        f"tcp: answered, the target saw {source}:4000",
        f"udp: answered, the target saw {source}:4000",
    ]


def test_a_later_try_is_told_of_a_good_cell(healthy: Evidence) -> None:
    pair = _pair(healthy, "pod.k8s-node2-to-pod.k8s-node1")
    key = (pair.sender, "pod.k8s-node1:udp")
    late = replace(healthy, answers={**healthy.answers, key: replace(healthy.answers[key], tries=3)})
    source = healthy.addresses[pair.sender].ip
    assert cell_seen(late, pair).splitlines()[-1] == (
        f"udp: answered at the 3rd try, the target saw {source}:4000"
    )
    assert "yes pod (3rd)" in matrix_table(late)
    assert late_answers(late) == f"1 of {len(late.answers)} answers came at a later try than the first"


def test_silence_tells_how_often_it_was_asked(without_shim: Evidence) -> None:
    pair = _pair(without_shim, "node.k8s-node1-to-pod.k8s-node1")
    answers = {key: replace(answer, tries=2) for key, answer in without_shim.answers.items()}
    assert cell_seen(replace(without_shim, answers=answers), pair).splitlines()[1] == (
        "ping: no answer, asked 2 times, as expected: a macvlan interface exchanges no packets with its"
        " parent device"
    )


def test_a_failing_cell_shows_its_row_and_the_cause(healthy: Evidence) -> None:
    cause = f"FORWARD policy is DROP on {NODE1}"
    pair = _pair(healthy, "pod.k8s-node2-to-pod.k8s-node1")
    broken = replace(
        healthy,
        answers={
            **healthy.answers,
            (pair.sender, "pod.k8s-node1:udp"): Answer.silence("i/o timeout"),
        },
        findings={NODE1: (Finding(NODE1, Topic.FORWARDING, cause),)},
    )
    said = cell_failure(broken, pair, judge(broken, pair)).splitlines()
    assert said[0] == "pod.k8s-node2 to pod.k8s-node1 (172.31.6.2): not as expected (pod-to-pod-other-node)"
    assert said[1] == "  udp: no answer: i/o timeout"
    assert "NO udp" in said[4]
    assert said[-1] == f"cause: {cause}"


def test_a_service_without_its_endpoints_is_a_cause(healthy: Evidence) -> None:
    late = Problem("after 180 s the endpoints of Service backend are none, expected 10.200.1.4")
    assert known_causes(replace(healthy, endpoint_problems=(late,))) == [f"cause: {late}"]


def test_a_cause_on_another_node_is_told_as_such(healthy: Evidence) -> None:
    finding = Finding("k8s-master1", Topic.FORWARDING, "FORWARD policy is DROP on k8s-master1")
    broken = replace(healthy, findings={"k8s-master1": (finding,)})
    said = cell_failure(broken, _pair(healthy, "pod.k8s-node2-to-pod.k8s-node1"), ("tcp: no answer",))
    assert said.endswith("elsewhere: FORWARD policy is DROP on k8s-master1")


def test_without_a_known_cause_it_says_what_was_looked_at(healthy: Evidence) -> None:
    said = cell_failure(healthy, _pair(healthy, "lan-host-to-pod.k8s-node1"), ("tcp: no answer",))
    assert said.endswith(
        "no known cause: forwarding, kube-proxy, devices and routes on k8s-node1 are as expected"
    )


def test_nodes_that_nobody_looked_at_are_not_called_right(healthy: Evidence) -> None:
    seen = replace(healthy, facts={"k8s-node2": healthy.facts["k8s-node2"]})
    assert causes(seen, ("k8s-node1", "k8s-node2")) == (
        "no known cause: forwarding, kube-proxy, devices and routes on k8s-node2 are as expected;"
        " k8s-node1 was not looked at"
    )
    assert causes(seen, ("k8s-node1",)) == "no known cause: k8s-node1 was not looked at"
    assert causes(seen, ()).endswith(
        "on k8s-node2 are as expected; k8s-master1, k8s-node1 were not looked at"
    )


def test_a_pod_that_never_started_fails_its_row_and_column(healthy: Evidence) -> None:
    why = Problem("pod probe-k8s-node1 on k8s-node1 is not Ready after 180 s: Pending (ContainerCreating)")
    role = role_of(Endpoint(EndpointKind.POD, NODE1))
    pods = {name: pod for name, pod in healthy.pods.items() if name != role}
    broken = replace(healthy, pods=pods, pod_problems={role: why})
    failing = [pair for pair in healthy.pairs if judge(broken, pair)]
    concerned = [
        pair for pair in healthy.pairs if Endpoint(EndpointKind.POD, NODE1) in (pair.sender, pair.target)
    ]
    assert failing == concerned
    assert judge(broken, failing[0]) == (f"could not be tried: {why}",)


def test_a_silent_cluster_fails_every_pod_and_no_node(healthy: Evidence) -> None:
    broken = replace(healthy, pods={}, service=Problem("the API server 172.31.7.101: no route to host"))
    for pair in healthy.pairs:
        has_pod = EndpointKind.POD in (pair.sender.kind, pair.target.kind)
        assert bool(judge(broken, pair)) == has_pod, pair.label


def test_a_node_that_cannot_be_asked_is_a_cause(healthy: Evidence) -> None:
    gone = Problem("commands on k8s-node1 failed: Connection refused")
    broken = replace(healthy, facts={**healthy.facts, NODE1: gone})
    said = cell_failure(broken, _pair(healthy, "lan-host-to-pod.k8s-node1"), ("tcp: no answer",))
    assert f"cause: {NODE1} cannot be asked: {gone}" in said


def _reported(evidence: Evidence, message: str) -> tuple[str, list[tuple[str, object]]]:
    """What a failing check's report says once the suite's hook has seen it, and the check's properties."""
    config = type("Config", (), {"stash": pytest.Stash()})()
    config.stash[suite._EVIDENCE] = evidence
    item = cast(pytest.Item, type("Item", (), {"config": config, "user_properties": []})())
    report = pytest.TestReport("a", ("", 0, ""), {}, "failed", message, "call")
    hook = suite.pytest_runtest_makereport(item, cast("pytest.CallInfo[None]", None))
    next(hook)
    with pytest.raises(StopIteration) as end:
        hook.send(report)
    assert end.value.value is report
    return report.longreprtext, item.user_properties


def test_a_check_that_looks_at_one_thing_tells_the_known_causes_too(healthy: Evidence) -> None:
    finding = Finding(NODE1, Topic.DISK, f"the disk of {NODE1} is full")
    broken = replace(healthy, findings={NODE1: (finding,)})
    assert _reported(healthy, "2 != 3")[0] == "2 != 3"
    assert _reported(broken, "2 != 3")[0] == f"2 != 3\nelsewhere: the disk of {NODE1} is full"
    assert _reported(broken, "no answer\ncause: known")[0] == "no answer\ncause: known"
    assert _reported(broken, finding.text)[0] == finding.text


def test_the_own_words_of_a_check_are_recorded_apart_from_the_causes(healthy: Evidence) -> None:
    disk = f"the disk of {NODE1} is full"
    broken = replace(healthy, findings={NODE1: (Finding(NODE1, Topic.DISK, disk),)})
    assert _reported(broken, "2 != 3")[1] == [(OWN_WORDS, "2 != 3")]
    assert _reported(broken, disk)[1] == [(OWN_WORDS, disk)]
    cell = cell_failure(broken, _pair(healthy, "lan-host-to-pod.k8s-node1"), ("tcp: no answer",))
    [(_, own)] = _reported(broken, cell)[1]
    assert "tcp: no answer" in str(own)
    assert disk in cell
    assert disk not in str(own)


def test_causes_of_several_lines_are_no_own_words() -> None:
    assert own_words("a\n\nb\n\ncause: c\n  d\nelsewhere: e") == "a\n\nb"
    assert own_words("a\nno known cause: all is well") == "a"
    assert own_words("cause: c") == ""
