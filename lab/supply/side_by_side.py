"""Running tasks in threads, of which the first failure ends all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

from lab.foundation.process import StoppedError

Made = TypeVar("Made")


def side_by_side(
    tasks: Sequence[Callable[[], Made]], stop: threading.Event, workers: int | None = None
) -> tuple[Made, ...]:
    """Run the tasks in threads and return what they made, in their order.

    When one fails or this is interrupted, `stop` is set, which the others heed, and what went wrong first is
    raised, rather than that others were stopped because of it.
    """
    with ThreadPoolExecutor(max_workers=workers or max(1, len(tasks))) as pool:
        try:
            futures = [pool.submit(task) for task in tasks]
            wait(futures, return_when=FIRST_EXCEPTION)
            errors = [error for future in futures if future.done() and (error := future.exception())]
            for error in sorted(errors, key=lambda error: isinstance(error, StoppedError)):
                raise error
            return tuple(future.result() for future in futures)
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
