"""Asking an API server that is overloaded, and waiting while something goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import ReadTimeoutError

from acceptance import api_answers
from acceptance.api_answers import MOST_PROGRESS, again, made, until

OVERLOADED = ApiException(status=504, reason="request did not complete within requested timeout")
SILENT = ReadTimeoutError(None, "https://172.31.7.101:6443", "timed out")  # type: ignore[arg-type]
FORBIDDEN = ApiException(status=403, reason="Forbidden")
CONFLICT = ApiException(status=409, reason="AlreadyExists")


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(api_answers, "time", clock)
    return clock


def saying(*answers: object) -> Callable[[], object]:
    """Gives or raises one after the other, the last one for ever."""
    left: Iterator[object] = iter(answers)
    last = answers[-1]

    def ask() -> object:
        answer = next(left, last)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask


@pytest.mark.parametrize("busy", [OVERLOADED, SILENT, ConnectionRefusedError("refused")])
def test_a_busy_server_is_asked_again(busy: Exception) -> None:
    assert again(saying(busy, busy, "fine"), 60) == "fine"


def test_what_will_not_change_is_raised_at_once(clock: Clock) -> None:
    with pytest.raises(ApiException, match="Forbidden"):
        again(saying(FORBIDDEN), 60)
    assert clock.now == 0


def test_a_server_that_stays_busy_is_given_up(clock: Clock) -> None:
    with pytest.raises(ApiException, match="504"):
        again(saying(OVERLOADED), 60)
    assert clock.now == 60


def test_what_was_made_although_the_answer_was_lost_is_read() -> None:
    assert made(saying(OVERLOADED, CONFLICT), saying("the object"), 60) == "the object"


def test_what_was_made_is_not_read() -> None:
    assert made(saying("made"), saying(FORBIDDEN), 60) == "made"


def test_waiting_goes_on_while_there_is_progress(clock: Clock) -> None:
    assert until(lambda: clock.now >= 150, 60, lambda: int(clock.now // 50))
    assert clock.now == 150


def test_going_back_and_forth_is_no_progress(clock: Clock) -> None:
    assert not until(lambda: False, 60, lambda: int(clock.now) % 2)
    assert clock.now == 61


def test_progress_without_end_is_given_up(clock: Clock) -> None:
    assert not until(lambda: False, 60, lambda: int(clock.now) + 1)
    assert clock.now == MOST_PROGRESS * 60
