"""How long things may take on this cluster, and whether it is too slow to be judged."""

from __future__ import annotations

import time
from collections.abc import Callable

from acceptance.pace import Pace

FRESH_SECONDS = 30.0
"""How long a measurement is good."""


class Patience:
    """Stretches the limits of a cluster of the usual speed by the slowest speed that was measured."""

    def __init__(self, measure: Callable[[], Pace], say: Callable[[str], None], pod_seconds: float) -> None:
        """`say` is told what was measured.

        `pod_seconds` is how long pods may take to become ready on a cluster of the usual speed.
        """
        self._pod_seconds = pod_seconds
        self._measure = measure
        self._say = say
        self._paces: list[Pace] = []
        self._measured = 0.0

    def look(self) -> None:
        """Measure how fast the cluster works, unless that was done a moment ago."""
        if self._paces and time.monotonic() - self._measured < FRESH_SECONDS:
            return
        self._paces.append(pace := self._measure())
        self._measured = time.monotonic()
        self._say(f"speed: {pace}")

    def limit(self, seconds: float) -> float:
        """What a time limit for a cluster of the usual speed is on this one."""
        return max((pace.stretch(seconds) for pace in self._paces), default=seconds)

    @property
    def pods(self) -> float:
        """How long pods may take to become ready on this cluster, in seconds."""
        return self.limit(self._pod_seconds)

    @property
    def slowest(self) -> Pace | None:
        """The slowest speed that was measured; None before the first measurement."""
        return max(self._paces, key=lambda pace: pace.ratio, default=None)

    @property
    def starved(self) -> Pace | None:
        """The slowest speed that was measured, when nothing can be judged at that speed."""
        slowest = self.slowest
        return slowest if slowest is not None and slowest.starved else None
