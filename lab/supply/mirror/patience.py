"""How long a source that breaks off is asked again: as long as that brings more."""

from __future__ import annotations

import threading

TRIES = 3
"""How often in a row a source may break off without having given more than before."""
BACKOFF_SECONDS = 0.5


class Patience:
    """With one source for one thing, of which `got` bytes are there already."""

    def __init__(self, got: int) -> None:
        self.got = got
        """The most bytes that were there after any attempt."""
        self._fruitless = 0

    def is_over(self, got: int) -> bool:
        """Take note of an attempt that broke off with `got` bytes there; whether it was one too many."""
        self._fruitless = 0 if got > self.got else self._fruitless + 1
        self.got = max(self.got, got)
        return self._fruitless == TRIES

    def pause(self, stop: threading.Event) -> None:
        """Wait before the next attempt, the longer the more were in vain; `stop` ends it."""
        stop.wait(BACKOFF_SECONDS * 2**self._fruitless)
