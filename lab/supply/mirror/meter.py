"""Bytes that many threads fetch, as one bar with its rate."""

from __future__ import annotations

import threading
import time
from collections import deque

from lab.foundation.progress import StepContext

WINDOW_SECONDS = 10.0


class Rate:
    """Bytes per second over the last seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])

    def at(self, total: int) -> float:
        """The rate now that `total` bytes are there."""
        now = time.monotonic()
        self._samples.append((now, total))
        while now - self._samples[0][0] > WINDOW_SECONDS:
            self._samples.popleft()
        then, before = self._samples[0]
        return (total - before) / (now - then) if now > then else 0.0


class Meter:
    """What all downloads together have got, shown on a step."""

    def __init__(self, step: StepContext) -> None:
        self._step = step
        self._lock = threading.Lock()
        self._expected = 0
        self._got = 0
        self._rate = Rate()

    def expect(self, size: int) -> None:
        """Count `size` more bytes (fewer, when negative) that are to come."""
        with self._lock:
            self._expected += size

    def got(self, size: int, what: str) -> None:
        """Count `size` bytes more (less, when negative) of `what`."""
        with self._lock:
            self._got += size
            rate = self._rate.at(self._got)
            self._step.advance(min(self._got, self._expected), max(0, self._expected))
            self._step.doing(f"{size_text(rate)}/s {what}")


def size_text(size: float) -> str:
    """12.3 MiB, 870 KiB."""
    return f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 2**10:.0f} KiB"
