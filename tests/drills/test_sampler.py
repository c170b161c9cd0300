"""Asking each second, by a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from lab.drills.sampler import (
    Channel,
    NotAskedError,
    Outcome,
    RefusedError,
    Sampler,
    SilentError,
)

Work = Callable[[], None]


class HandClock:
    """Goes on when somebody sleeps, or when it is told to."""

    def __init__(self) -> None:
        self.at = 100.0

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


class Later:
    """Work that is started and goes on when the test says so."""

    def __init__(self) -> None:
        self.works: list[Work] = []

    def __call__(self, work: Work) -> None:
        self.works.append(work)

    def go_on(self) -> None:
        self.works.pop(0)()


def at_once(work: Work) -> None:
    work()


def ticks(number: int) -> Callable[[], bool]:
    """Stops before the tick after so many."""
    left = iter([False] * number)
    return lambda: next(left, True)


def raising(error: Exception) -> Callable[[], str]:
    def question() -> str:
        raise error

    return question


@pytest.mark.parametrize(
    ("question", "outcome", "reason"),
    [
        (lambda: "yes", Outcome.ANSWERED, ""),
        (raising(RefusedError("503: no")), Outcome.REFUSED, "503: no"),
        (raising(SilentError("timed out")), Outcome.SILENT, "timed out"),
        (raising(NotAskedError("the lab is gone")), Outcome.NOT_ASKED, "the lab is gone"),
        (
            raising(ZeroDivisionError("a mistake of ours")),
            Outcome.NOT_ASKED,
            "ZeroDivisionError: a mistake of ours",
        ),
    ],
)
def test_what_becomes_of_a_question(question: Callable[[], str], outcome: Outcome, reason: str) -> None:
    channel = Channel(question, HandClock(), at_once)
    channel.ask(100.0)
    (sight,) = channel.sights
    assert (sight.at, sight.outcome, sight.reason) == (100.0, outcome, reason)
    assert sight.value == ("yes" if outcome is Outcome.ANSWERED else None)
    assert sight.failed is (outcome in (Outcome.REFUSED, Outcome.SILENT))


def test_while_a_question_is_open_the_next_is_not_asked_and_not_lost() -> None:
    later, clock = Later(), HandClock()
    channel = Channel(lambda: "late", clock, later)
    channel.ask(100.0)
    channel.ask(101.0)
    assert [sight.outcome for sight in channel.sights] == [Outcome.OPEN, Outcome.NOT_ASKED]
    assert not any(sight.failed for sight in channel.sights)
    assert channel.sights[1].reason == "the question of 1 s ago is still open"
    clock.at = 101.5
    later.go_on()
    channel.ask(102.0)
    assert [sight.outcome for sight in channel.sights] == [Outcome.ANSWERED, Outcome.NOT_ASKED, Outcome.OPEN]
    assert not later.works[1:], "the second was never asked"


def test_questions_that_overlap_have_fates_of_their_own() -> None:
    later, clock = Later(), HandClock()
    answers: Iterator[Callable[[], str]] = iter([raising(SilentError("gone")), lambda: "there"])

    def question() -> str:
        return next(answers)()

    channel = Channel(question, clock, later, overlapping=True)
    channel.ask(100.0)
    channel.ask(101.0)
    assert [sight.outcome for sight in channel.sights] == [Outcome.OPEN, Outcome.OPEN]
    assert channel.settled is None
    later.go_on()
    later.go_on()
    assert [sight.outcome for sight in channel.sights] == [Outcome.SILENT, Outcome.ANSWERED]
    assert channel.settled == channel.sights[1]


def test_how_long_an_answer_took() -> None:
    clock = HandClock()

    def question() -> str:
        clock.sleep(2.5)
        return "slow"

    channel = Channel(question, clock, at_once)
    channel.ask(100.0)
    assert channel.sights[0].took == 2.5


def test_one_question_a_second() -> None:
    clock, told = HandClock(), list[float]()
    channel = Channel(lambda: "yes", clock, at_once)
    Sampler([channel], clock, told.append).run(ticks(3))
    assert [sight.at for sight in channel.sights] == told == [100.0, 101.0, 102.0]
    assert clock.at == 103.0


def test_seconds_that_this_host_slept_through_are_not_asked() -> None:
    clock = HandClock()
    slow = iter([0.0, 3.2, 0.0])
    channel = Channel(lambda: "yes", clock, at_once)
    Sampler([channel], clock, lambda _: clock.sleep(next(slow))).run(ticks(3))
    outcomes = [(sight.at, sight.outcome) for sight in channel.sights]
    assert outcomes == [
        (100.0, Outcome.ANSWERED),
        (101.0, Outcome.ANSWERED),
        (102.0, Outcome.NOT_ASKED),
        (103.0, Outcome.NOT_ASKED),
        (104.0, Outcome.ANSWERED),
    ]
    assert channel.sights[2].reason == "this host was busy"


def test_a_thread_that_cannot_be_started_asks_nothing() -> None:
    def no_thread(work: Work) -> None:
        raise RuntimeError("can't start new thread")

    channel = Channel(lambda: "yes", HandClock(), no_thread)
    channel.ask(100.0)
    assert [sight.outcome for sight in channel.sights] == [Outcome.NOT_ASKED]
