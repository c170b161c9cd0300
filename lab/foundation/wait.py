"""The one place that waits: for a condition, until a deadline, keeping the last reason why not yet."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from lab.foundation.errors import LabError
from lab.foundation.journal import JOURNAL

T = TypeVar("T")


class NotYetError(Exception):
    """Raised by a condition that does not hold yet; its text says why."""


class TimedOutError(LabError):
    """A condition did not hold before its deadline."""


@dataclass(frozen=True)
class Deadline:
    """A point in time, `seconds` after it was made, that is passed on to everything it bounds."""

    seconds: float
    _end: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_end", time.monotonic() + self.seconds)

    @property
    def left(self) -> float:
        """Seconds that are left, never below 0."""
        return max(0.0, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        return self.left == 0.0


def wait_for(
    condition: Callable[[], T],
    *,
    what: str,
    deadline: Deadline,
    interval: float = 1.0,
    retry_on: tuple[type[Exception], ...] = (),
    on_wait: Callable[[str], None] | None = None,
    resolution: str | None = None,
) -> T:
    """Call `condition` every `interval` seconds until it returns, and return its value.

    The condition raises NotYetError (or one of `retry_on`) while it does not hold; each new reason is handed
    to `on_wait`. Any other exception ends the wait. Raises TimedOutError with the last reason.
    """
    awaited: tuple[type[Exception], ...] = (NotYetError, *retry_on)
    reason = ""
    started = time.monotonic()
    while True:
        try:
            value = condition()
        except awaited as not_yet:
            said = str(not_yet) or type(not_yet).__name__
            if said != reason:
                JOURNAL.info("wait for: %s; not yet: %s", what, said)
                if on_wait is not None:
                    on_wait(said)
            reason = said
        else:
            JOURNAL.info("waited %.1f s for: %s", time.monotonic() - started, what)
            return value
        if deadline.passed:
            JOURNAL.info("waited %.1f s in vain for: %s", time.monotonic() - started, what)
            raise TimedOutError(
                f"timed out after {deadline.seconds:.0f} s waiting for: {what}",
                details=f"last seen: {reason}",
                resolution=resolution,
            )
        time.sleep(min(interval, deadline.left))
