from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from lab.supply.side_by_side import side_by_side


class EndedWhileStarting(list[Callable[[], None]]):
    """Tasks of which the first is started; then comes Ctrl-C."""

    def __iter__(self) -> Iterator[Callable[[], None]]:
        yield self[0]
        raise KeyboardInterrupt


def test_an_interrupt_while_tasks_are_started_stops_those_that_run() -> None:
    stop = threading.Event()
    heeded: list[bool] = []

    def task() -> None:
        heeded.append(stop.wait(20))

    with pytest.raises(KeyboardInterrupt):
        side_by_side(EndedWhileStarting([task, task]), stop)
    assert heeded == [True]
