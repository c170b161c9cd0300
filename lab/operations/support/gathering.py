"""Gathering from several sources at the same time, none of which may hold up the others or the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lab.foundation.errors import LabError
from lab.foundation.wait import Deadline

Files = Mapping[str, str | bytes]
"""Contents by their path in the archive."""


@dataclass(frozen=True)
class Part:
    """One thing to be had: `name` stands for it where it is missing; `get` raises when it cannot be had."""

    name: str
    get: Callable[[], Files]

    @classmethod
    def text(cls, path: str, get: Callable[[], str]) -> Part:
        """A part that is one file."""
        return cls(path, lambda: {path: get()})


@dataclass(frozen=True)
class Source:
    """Parts that are gathered one after the other.

    `why_silent` is asked first, and again when a part could not be had: with a reason, the rest is not tried.
    """

    parts: Sequence[Part]
    why_silent: Callable[[], str | None] = lambda: None


@dataclass
class Gathered:
    """What was had, and why the rest was not."""

    files: dict[str, str | bytes] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def gather(sources: Sequence[Source], seconds: float) -> Gathered:
    """Gather from all sources side by side; what is not there after `seconds` is missing."""
    deadline = Deadline(seconds)
    collectors = [_Collector(source) for source in sources]
    # A thread that hangs must not keep this process from ending.
    threads = [threading.Thread(target=collector.work, daemon=True) for collector in collectors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=deadline.left)
    whole = Gathered()
    for collector in collectors:
        found = collector.close(f"not finished after {seconds:.0f} s")
        whole.files.update(found.files)
        whole.missing.update(found.missing)
    return whole


class _Collector:
    """Works one source off, until it is closed."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._closed = False
        self._open = [part.name for part in source.parts]
        self._gathered = Gathered()

    def work(self) -> None:
        silent = self._silent()
        for part in self._source.parts:
            if self._closed:
                return
            if silent is not None:
                self._lacks(part, silent)
                continue
            try:
                files = part.get()
            except Exception as error:  # whatever it is, the archive says it and goes on
                self._lacks(part, _reason(error))
                silent = self._silent()
            else:
                self._has(part, files)

    def close(self, why: str) -> Gathered:
        """What there is; what is still open is missing for that reason, whatever comes later."""
        with self._lock:
            self._closed = True
            self._gathered.missing.update(dict.fromkeys(self._open, why))
            return self._gathered

    def _silent(self) -> str | None:
        try:
            return self._source.why_silent()
        except Exception as error:
            return _reason(error)

    def _has(self, part: Part, files: Files) -> None:
        with self._lock:
            if not self._closed:
                self._open.remove(part.name)
                self._gathered.files.update(files)

    def _lacks(self, part: Part, why: str) -> None:
        with self._lock:
            if not self._closed:
                self._open.remove(part.name)
                self._gathered.missing[part.name] = why


def _reason(error: Exception) -> str:
    """One line that says what went wrong."""
    if isinstance(error, LabError):
        last = error.details.splitlines()[-1].strip() if error.details else ""
        return f"{error.brief}: {last}" if last else error.brief
    return str(error) or type(error).__name__
