"""Watching what another program downloads: how fast a folder grows, and when to give up."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType

from lab.supply.mirror.files import SILENCE_SECONDS, SLOW
from lab.supply.mirror.meter import WINDOW_SECONDS, Meter, Rate, size_text
from lab.supply.mirror.mirrors import Source

LOOK_SECONDS = 0.5


class GrowthWatch:
    """Sets `halt` when `folder` grows too slowly towards `size` bytes, or when `stop` is set.

    `verdict` says how slow it was, and stays empty otherwise.
    """

    def __init__(self, folder: Path, size: int, source: Source, meter: Meter, stop: threading.Event) -> None:
        self.halt = threading.Event()
        self.verdict = ""
        self._folder = folder
        self._size = size
        self._source = source
        self._meter = meter
        self._stop = stop
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> GrowthWatch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        first = before = bytes_below(self._folder)
        begun = grown = time.monotonic()
        rate = Rate()
        ended = False
        while not ended:
            ended = self._ended.wait(LOOK_SECONDS)
            now, there = time.monotonic(), bytes_below(self._folder)
            grown = now if there > before else grown
            self._meter.got(there - before, self._source.name.rpartition("/")[2])
            before = there
            speed = rate.at(there - first)
            if there < self._size and not self.halt.is_set():
                if now - grown > SILENCE_SECONDS:
                    self.verdict = f"nothing for {SILENCE_SECONDS:.0f} s"
                elif not self._source.last and now - begun > WINDOW_SECONDS and speed < SLOW:
                    self.verdict = f"{size_text(speed)}/s"
            if self.verdict or self._stop.is_set():
                self.halt.set()


def bytes_below(folder: Path) -> int:
    """Bytes of all files below; one that goes away meanwhile counts nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total
