"""Symptoms tell what fails and between whom, and never why."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.operations.exercises.symptoms import _TOLD, Symptom, symptoms_of
from lab.operations.suite_page import Check, Outcome

SUITE = Path(__file__).parents[2] / "acceptance"


def check(topic: str, function: str, parameter: str, outcome: Outcome = Outcome.FAILED) -> Check:
    return Check(topic, function, parameter, outcome, 1.0, "cause: FORWARD is DROP", "FORWARD is DROP")


def test_topics_come_with_what_may_be_told_of_them() -> None:
    found = symptoms_of(
        [
            check("reachability", "reach", "pod.k8s-node1-to-pod.k8s-node2"),
            check("reachability", "reach", "lan-host-to-uplink", Outcome.PASSED),
            check("reachability", "whole matrix", ""),
            check("services", "endpoints follow a replaced pod", ""),
            check("pod addresses", "mtu", "k8s-node1"),
            check("pod addresses", "ready", "k8s-node1"),
            check("data path", "node", "k8s-node1-firewall"),
            check("lan", "the gateway answers", ""),
            check("life", "large transfer", "", Outcome.NOT_RUN),
            check("of tomorrow", "the firewall", "k8s-node1"),
        ]
    )
    assert found == (
        Symptom("reachability", 2, 3, ("pod.k8s-node1 to pod.k8s-node2",)),
        Symptom("services", 1, 1, ("endpoints follow a replaced pod",)),
        Symptom("pod addresses", 2, 2, ("k8s-node1",)),
        Symptom("data path", 1, 1, ()),
        Symptom("lan", 1, 1, ()),
        Symptom("of tomorrow", 1, 1, ()),
    )


@pytest.mark.parametrize("path", sorted(SUITE.glob("test_*.py")), ids=lambda path: path.stem)
def test_every_topic_of_the_suite_was_thought_of(path: Path) -> None:
    assert path.stem.removeprefix("test_").replace("_", " ") in _TOLD
