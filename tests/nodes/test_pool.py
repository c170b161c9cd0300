from __future__ import annotations

import threading

import pytest

from lab.foundation.errors import LabError
from lab.nodes.pool import NodesError, in_parallel


def fail(brief: str) -> None:
    raise LabError(brief)


def test_works_run_at_the_same_time() -> None:
    barrier = threading.Barrier(3, timeout=5)
    in_parallel(dict.fromkeys(("a", "b", "c"), barrier.wait))


def test_values_by_name() -> None:
    assert in_parallel({"a": lambda: 1, "b": lambda: 2}) == {"a": 1, "b": 2}
    assert in_parallel({}) == {}


def test_one_failure_is_raised_as_it_is_after_all_have_ended() -> None:
    ended = threading.Event()
    with pytest.raises(LabError, match="no room") as caught:
        in_parallel({"a": lambda: fail("no room"), "b": ended.set})
    assert not isinstance(caught.value, NodesError)
    assert ended.is_set()


def test_several_failures_are_told_together() -> None:
    with pytest.raises(NodesError) as caught:
        in_parallel({"a": lambda: fail("first"), "b": lambda: fail("second"), "c": lambda: None})
    assert "a, b" in caught.value.brief
    assert "first" in str(caught.value)
    assert "second" in str(caught.value)


def test_a_mistake_in_the_program_is_not_hidden_among_failures() -> None:
    with pytest.raises(ZeroDivisionError):
        in_parallel({"a": lambda: fail("first"), "b": lambda: 1 / 0})
