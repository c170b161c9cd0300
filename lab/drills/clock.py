"""The time that an observation goes by, given to it from outside."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds since some instant, which never go back."""

    def now(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class HostClock:
    """Of this host."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
