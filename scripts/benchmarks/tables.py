"""The rows of the tables, for a terminal and for the page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from scripts.benchmarks.figures import Measured
from scripts.benchmarks.scale import COLD, WARM

Row = tuple[str, ...]


@dataclass(frozen=True)
class Label:
    """How a measurement is spoken of, and what it shall take at most, in seconds."""

    text: str
    goal: float | None = None
    parts: str = "Steps"
    """What its seconds are taken apart into."""


LABELS = {
    "by-hand": Label("the same cluster by hand"),
    "up-cold": Label("`lab up --cold`: built anew", 480),
    "up-warm": Label("`lab up` of a lab in the cache", 15),
    "rebuild": Label("`lab rebuild`", 10),
    "mode-switch": Label("`lab rebuild --mode`, into a mode seen before", 10),
    "idle": Label("processor time of an idle lab, in a minute", parts="Shares"),
    "pod-start": Label("a pod, from its creation until it is ready"),
    "ten-pods": Label("ten pods at once, until all are ready"),
    "suite": Label("`lab test`, the acceptance suite of one mode"),
    "image-by-hand": Label("an image of 70 MB to all nodes by hand"),
    "image": Label("`lab image load` of an image of 70 MB to all nodes"),
    "down": Label("`lab down`", 3),
}
"""In the order of the page."""

REFERENCES = {"by-hand": "by hand it takes", "up-cold": "built anew it takes"}
"""What ways to a clean cluster are compared with, where it was measured in the same call and mode."""
_NO_WAYS = ("idle", "pod-start", "ten-pods", "suite", "image", "image-by-hand", "down")
BY_HAND = {"image": "image-by-hand"}
"""What else was done by hand."""
_FIGURES = ("runs", "s", "min", "max")


def command_rows(measured: Sequence[Measured]) -> Iterator[Row]:
    names = {each.name for each in measured}
    references = [name for name in REFERENCES if any(_reference(each, name) in names for each in names)]
    yield ("command", "mode", *_FIGURES, "goal s", *(REFERENCES[name] for name in references))
    for each in measured:
        label = LABELS[each.name]
        goal = "" if label.goal is None else f"{label.goal:.0f}"
        yield (label.text, each.mode, *each.whole.cells, goal, *_ratios(each, references, measured))


def _ratios(one: Measured, references: Iterable[str], measured: Sequence[Measured]) -> Iterator[str]:
    for name in references:
        other = find(measured, one.mode, _reference(one.name, name))
        yield times(other, one) if other else ""


def _reference(name: str, column: str) -> str:
    """The measurement with which `name` is compared in the column of a reference; "" when with none."""
    if name in BY_HAND and column == "by-hand":
        return BY_HAND[name]
    return "" if name in _NO_WAYS else column


def times(longer: Measured, shorter: Measured) -> str:
    """How many times as long, with as many digits as figures with one decimal can bear."""
    ratio = longer.whole.seconds / shorter.whole.seconds
    return f"{ratio:.1f} times" if ratio < 10 else f"{ratio:.0f} times"


def find(measured: Sequence[Measured], mode: str, name: str) -> Measured | None:
    """The measurement of that name in that mode."""
    return next((each for each in measured if (each.mode, each.name) == (mode, name)), None)


def step_rows(one: Measured) -> Iterator[Row]:
    yield ("step", *_FIGURES, "share")
    for step, figures in one.steps.items():
        yield (step, *figures.cells, f"{figures.seconds / one.whole.seconds:.0%}")


def ratio_rows(compared: Iterable[tuple[Measured, Measured]], commit: str) -> Iterator[Row]:
    """What was measured here, and at another commit in the same call."""
    yield ("measurement", "mode", "runs", "s", "min", "max", f"{commit}: s", "min", "max", "it takes")
    for here, there in compared:
        _, *figures = there.whole.cells
        ratio = f"{there.whole.seconds / here.whole.seconds:.2f} times"
        yield (LABELS[here.name].text, here.mode, *here.whole.cells, *figures, ratio)


def size_rows(measured: Sequence[Measured]) -> Iterator[Row]:
    yield ("nodes", "mode", "runs", "built anew, s", "from the cache, s", "built anew it takes")
    for cold in measured:
        kind, _, size = cold.name.partition(", ")
        if kind == COLD:
            warm = find(measured, cold.mode, f"{WARM}, {size}")
            runs, seconds, *_ = cold.whole.cells
            both = f"{warm.whole.seconds:.1f}" if warm else "-"
            ratio = times(cold, warm) if warm else "-"
            yield (size, cold.mode, runs, seconds, both, ratio)


def aligned(rows: Iterable[Row]) -> str:
    """As text in columns; the first is to the left, the others to the right."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for first, *rest in table:
        cells = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        lines.append("  ".join((first.ljust(widths[0]), *cells)).rstrip())
    return "\n".join(lines)


def markdown(rows: Iterable[Row]) -> str:
    head, *rest = rows
    rule = ("---", *("---:" for _ in head[1:]))
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rest))
