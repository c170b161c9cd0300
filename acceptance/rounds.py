"""How often what is not settled is asked again: a slow machine is not a broken network."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

ROUNDS = 6
SECONDS = 60.0
PAUSE_SECONDS = 5.0


@dataclass(frozen=True)
class RoundLimits:
    """The limits, and the clock that they are held against; docs/acceptance.md tells them."""

    rounds: int = ROUNDS
    """How many there are at most."""
    seconds: float = SECONDS
    """No round begins later than that after the first one."""
    pause: float = PAUSE_SECONDS
    """Seconds from the beginning of one round to that of the next, at least."""
    stretch: Callable[[float], float] = float
    """What `seconds` on a cluster of the usual speed are on this one."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def turns(self) -> Turns:
        return Turns(self)


class Turns:
    """The rounds that are left."""

    def __init__(self, limits: RoundLimits) -> None:
        self._limits = limits
        self._left = limits.rounds
        self._end = limits.clock() + limits.stretch(limits.seconds)
        self._next = limits.clock()

    def another(self) -> bool:
        """Whether there is one more; waits until it may begin."""
        limits = self._limits
        if self._left == 0 or max(self._next, limits.clock()) >= self._end:
            return False
        limits.sleep(max(0.0, self._next - limits.clock()))
        self._left -= 1
        self._next = limits.clock() + limits.pause
        return True
