"""The coursework's checks: the LAN's silence is told from a question that was not put."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from typing import cast

import pytest

from acceptance import test_coursework as checks
from acceptance.cluster import ClusterPod
from acceptance.coursework import CURL, Coursework, Tomcat, curl_answer
from acceptance.evidence import Evidence
from acceptance.probes import Answer, Outcome
from acceptance.rounds import ROUNDS, RoundLimits
from acceptance.shell import Command, LocalShell, run_batch

REFUSED = Answer.unasked("nsenter: cannot open the namespace")
PAGE = Answer.heard("tomcat on tomcat-underlay")


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        (f"{CURL} http://127.0.0.1:PORT/", Outcome.SILENT),
        (f"{CURL} file:///dev/null", Outcome.ANSWERED),
        (f"nsenter --net=/no/such/namespace {CURL} http://127.0.0.1:PORT/", Outcome.UNASKED),
        ("no-such-curl http://127.0.0.1:PORT/", Outcome.UNASKED),
    ],
)
def test_what_curl_ends_with(words: str, outcome: Outcome, closed_port: int) -> None:
    command = Command("curl", words.replace("PORT", str(closed_port)))
    assert curl_answer(run_batch(LocalShell(), [command])["curl"]).outcome is outcome


class Lan:
    """Stands for the LAN host: what it gets from the overlay and the underlay pod, time after time."""

    def __init__(self, answers: Sequence[tuple[Answer, Answer]]) -> None:
        self._answers = iter(answers)

    def answers_to_lan_host(self, urls: Mapping[str, str]) -> Mapping[str, Answer]:
        return dict(zip(checks.KINDS, next(self._answers), strict=True))


@pytest.fixture
def tomcats(healthy: Evidence) -> Mapping[str, Tomcat]:
    pod: ClusterPod = healthy.pods["backend"]
    return {
        kind: Tomcat(kind, replace(pod, address=IPv4Address(address)), 30080)
        for kind, address in {"overlay": "10.200.0.1", "underlay": "172.31.6.1"}.items()
    }


Judge = Callable[[Sequence[tuple[Answer, Answer]]], None]


@pytest.fixture
def judge(tomcats: Mapping[str, Tomcat], limits: RoundLimits) -> Judge:
    """Runs the check with what the overlay and the underlay pod answer, time after time."""
    return lambda answers: checks.test_the_lan_does_not_reach_the_overlay_pod(
        tomcats, cast(Coursework, Lan(answers)), limits
    )


def test_silence_counts_while_the_underlay_pod_answers(judge: Judge) -> None:
    judge([(Answer.silence(), PAGE)])
    judge([(REFUSED, PAGE), (Answer.silence(), Answer.silence()), (Answer.silence(), PAGE)])
    with pytest.raises(AssertionError, match="answered: tomcat on tomcat-overlay"):
        judge([(Answer.heard("tomcat on tomcat-overlay"), PAGE)])


def test_who_never_asked_or_heard_nobody_is_not_right(judge: Judge) -> None:
    with pytest.raises(AssertionError, match="not asked: nsenter"):
        judge([(REFUSED, PAGE)] * ROUNDS)
    with pytest.raises(AssertionError, match="the underlay pod gave no answer meanwhile: time was up"):
        judge([(Answer.silence(), Answer.silence("time was up"))] * ROUNDS)
