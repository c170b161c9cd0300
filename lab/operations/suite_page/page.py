"""The page: self-contained, without scripts from elsewhere, readable on a phone, in light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.foundation.html import render_html
from lab.operations.suite_page.results import Check, Outcome, judged

TEMPLATE = Path(__file__).parent / "page.html.j2"


@dataclass(frozen=True)
class Station:
    """A network namespace that a packet passes, and its devices there, in their order."""

    place: str
    devices: tuple[str, ...]


@dataclass(frozen=True)
class DrawnPath:
    """The way of a packet from a pod to one on another node, as it was seen."""

    pods: str
    """Which pods, where the mode has several kinds."""
    before: tuple[Station, ...]
    """As far as the wire between the nodes."""
    wire: str
    """What the frame there is made of."""
    after: tuple[Station, ...]
    remark: str = ""
    """What keeps the picture from being whole."""


@dataclass(frozen=True)
class ModeRun:
    """The suite's run in one mode."""

    name: str
    """The mode's name, with options where it has other than their defaults."""
    summary: str
    """What the mode is."""
    checks: tuple[Check, ...]
    rebuild_seconds: float
    suite_seconds: float
    problem: str = ""
    """Why there was nothing to judge."""
    paths: tuple[DrawnPath, ...] = ()

    @property
    def failed(self) -> int:
        return sum(check.outcome is Outcome.FAILED for check in self.checks)

    @property
    def judged(self) -> tuple[Check, ...]:
        return judged(self.checks)

    @property
    def good(self) -> bool:
        return bool(self.judged) and not self.failed and not self.problem


@dataclass(frozen=True)
class Cell:
    """One kind of check in one mode."""

    mode: str
    checks: tuple[Check, ...]

    @property
    def failed(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.outcome is Outcome.FAILED)

    @property
    def judged(self) -> tuple[Check, ...]:
        return judged(self.checks)

    @property
    def worst_first(self) -> tuple[Check, ...]:
        return tuple(sorted(self.checks, key=lambda check: check.outcome is not Outcome.FAILED))

    @property
    def state(self) -> str:
        """none, not-run, failed or passed."""
        if not self.judged:
            return "not-run" if self.checks else "none"
        return "failed" if self.failed else "passed"


@dataclass(frozen=True)
class Row:
    """One kind of check across the modes."""

    topic: str
    function: str
    cells: tuple[Cell, ...]


def rows_of(runs: Sequence[ModeRun]) -> tuple[Row, ...]:
    """The kinds of checks that any of the runs has, a cell for each mode."""
    kinds = dict.fromkeys((check.topic, check.function) for run in runs for check in run.checks)
    return tuple(
        Row(topic, function, tuple(_cell(run, topic, function) for run in runs)) for topic, function in kinds
    )


def _cell(run: ModeRun, topic: str, function: str) -> Cell:
    return Cell(run.name, tuple(c for c in run.checks if (c.topic, c.function) == (topic, function)))


def render_page(title: str, facts: Sequence[str], runs: Sequence[ModeRun]) -> str:
    """The HTML text. `facts` are lines about the lab, such as its Kubernetes version."""
    return render_html(TEMPLATE, title=title, facts=facts, runs=runs, rows=rows_of(runs))
