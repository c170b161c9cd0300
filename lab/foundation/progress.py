"""The one place that shows progress: visible steps with their times, notes, and bars for long work."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TextIO

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from lab.foundation.journal import JOURNAL
from lab.foundation.language import said


@dataclass(frozen=True)
class StepTime:
    """How long a finished step took, in seconds."""

    name: str
    seconds: float


class Progress(Protocol):
    """Where work reports what it is doing. Steps may run in several threads at once."""

    def step(self, name: str) -> StepContext:
        """Open a visible step; leaving the block without an error prints one line with its time."""

    def note(self, text: str) -> None:
        """Print one line that stays."""

    @property
    def times(self) -> tuple[StepTime, ...]:
        """The finished steps, in the order in which they ended."""


class StepContext(Protocol):
    """A visible step that is under way."""

    def __enter__(self) -> StepContext: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None: ...

    def doing(self, text: str) -> None:
        """Say what the step does right now; replaces what was said before."""

    def advance(self, done: float, total: float) -> None:
        """Say how far the step is, in units of its own."""


def seconds_text(seconds: float) -> str:
    """4.2 s, 1 min 05 s."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"


def _tell_end(name: str, seconds: float, error: BaseException | None) -> None:
    end = "done" if error is None else f"failed, {type(error).__name__}"
    JOURNAL.info("step %s after %.1f s: %s", end, seconds, name)


class ConsoleProgress:
    """Progress on a stream: a live view on a terminal, plain lines elsewhere."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._console = Console(file=stream or sys.stderr, highlight=False)
        self._lock = threading.RLock()
        self._open: list[_ConsoleStep] = []
        self._times: list[StepTime] = []
        self._live: Live | None = None

    @property
    def times(self) -> tuple[StepTime, ...]:
        return tuple(self._times)

    def step(self, name: str) -> StepContext:
        return _ConsoleStep(self, name)

    def note(self, text: str) -> None:
        JOURNAL.info("note: %s", text)
        with self._lock:
            self._console.print(Text(f"  {said(text)}"), soft_wrap=True)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the terminal alone for a while, for a child that draws on it itself."""
        with self._lock:
            if self._live is not None:
                self._live.stop()
            try:
                yield
            finally:
                if self._live is not None:
                    self._live.start()

    def opened(self, step: _ConsoleStep) -> None:
        with self._lock:
            self._open.append(step)
            if not self._console.is_terminal:
                self._console.print(Text(f"... {said(step.name)}"))
            elif self._live is None:
                self._live = Live(
                    get_renderable=self._view, console=self._console, refresh_per_second=8, transient=True
                )
                self._live.start()

    def closed(self, step: _ConsoleStep, failed: bool) -> None:
        with self._lock:
            self._open.remove(step)
            if self._live is not None and not self._open:
                self._live.stop()
                self._live = None
            mark, style = ("failed", "red") if failed else ("ok", "green")
            if not failed:
                self._times.append(StepTime(step.name, step.seconds))
            line = Text.assemble(
                (f"{mark:>6}", style), f"  {said(step.name)}", (f"  {seconds_text(step.seconds)}", "dim")
            )
            self._console.print(line)

    def _view(self) -> Table:
        table = Table.grid(padding=(0, 1))
        for step in list(self._open):
            table.add_row(Spinner("dots"), said(step.name), step.status, seconds_text(step.seconds))
        return table


class _ConsoleStep:
    def __init__(self, progress: ConsoleProgress, name: str) -> None:
        self.name = name
        self._progress = progress
        self._started = time.monotonic()
        self._doing = ""
        self._share = ""

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    @property
    def status(self) -> Text:
        return Text(f"{self._share} {said(self._doing)}".strip()[:70], style="dim")

    def __enter__(self) -> StepContext:
        self._started = time.monotonic()
        JOURNAL.info("step: %s", self.name)
        self._progress.opened(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._progress.closed(self, failed=error is not None)
        _tell_end(self.name, self.seconds, error)

    def doing(self, text: str) -> None:
        self._doing = text

    def advance(self, done: float, total: float) -> None:
        share = done / total if total else 1.0
        filled = round(share * 20)
        left = self.seconds / share - self.seconds if share > 0.02 else 0.0
        self._share = f"[{'#' * filled}{'.' * (20 - filled)}] {share:4.0%}" + (
            f" about {seconds_text(left)} left" if left else ""
        )


class SilentProgress:
    """Progress for programs and tests: keeps the times, shows nothing."""

    def __init__(self) -> None:
        self._times: list[StepTime] = []

    @property
    def times(self) -> tuple[StepTime, ...]:
        return tuple(self._times)

    def step(self, name: str) -> StepContext:
        return _SilentStep(self._times, name)

    def note(self, text: str) -> None:
        JOURNAL.info("note: %s", text)


class _SilentStep:
    def __init__(self, times: list[StepTime], name: str) -> None:
        self._times = times
        self._name = name
        self._started = time.monotonic()

    def __enter__(self) -> StepContext:
        self._started = time.monotonic()
        JOURNAL.info("step: %s", self._name)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        _tell_end(self._name, time.monotonic() - self._started, error)
        if error is None:
            self._times.append(StepTime(self._name, time.monotonic() - self._started))

    def doing(self, text: str) -> None:
        pass

    def advance(self, done: float, total: float) -> None:
        pass
