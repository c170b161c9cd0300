from collections.abc import Iterator

import pytest

from lab.foundation.wait import Deadline, NotYetError, TimedOutError, wait_for


def test_returns_the_value_of_the_condition_once_it_holds() -> None:
    answers: Iterator[Exception | int] = iter([NotYetError("booting"), NotYetError("almost"), 42])
    said: list[str] = []

    def condition() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert wait_for(condition, what="answer", deadline=Deadline(10), interval=0, on_wait=said.append) == 42
    assert said == ["booting", "almost"]


def test_the_last_reason_is_in_the_error() -> None:
    def never() -> None:
        raise NotYetError("node k8s-node1 is NotReady")

    with pytest.raises(TimedOutError) as late:
        wait_for(never, what="three nodes Ready", deadline=Deadline(0), interval=0)
    assert late.value.brief == "timed out after 0 s waiting for: three nodes Ready"
    assert late.value.details == "last seen: node k8s-node1 is NotReady"


def test_other_errors_end_the_wait_at_once() -> None:
    calls = 0

    def broken() -> None:
        nonlocal calls
        calls += 1
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        wait_for(broken, what="it", deadline=Deadline(60))
    assert calls == 1


def test_a_condition_is_tried_once_even_when_no_time_is_left() -> None:
    assert wait_for(lambda: "held", what="it", deadline=Deadline(0)) == "held"
