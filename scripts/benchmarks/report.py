"""The figures as a table on a terminal, as JSON, and as the page docs/performance.md."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.by_hand import STORY
from benchmarks.runs import Run
from benchmarks.scale import COLD, WARM
from lab.foundation.paths import cache_root
from lab.foundation.wait import Deadline
from lab.host.kvm import probe
from lab.supply.box import newest_box

Runs = Mapping[str, Sequence[Run]]
REFERENCES = ("by-hand", "up-cold")
"""What the other figures are shares of, where it was measured in the same call."""
KVM_LIMIT = 30.0


@dataclass(frozen=True)
class Label:
    """How the page speaks of a measurement, and what it shall take at most, in seconds."""

    text: str
    goal: float | None = None

    @property
    def goal_text(self) -> str:
        return "" if self.goal is None else f"{self.goal:.0f}"


LABELS = {
    "by-hand": Label("the same cluster by hand"),
    "up-cold": Label("`lab up --cold`: built anew", 480),
    "up-warm": Label("`lab up` of a lab in the cache", 15),
    "rebuild": Label("`lab rebuild`", 10),
    "mode-switch": Label("`lab rebuild --mode`, into a mode seen before", 10),
    "suite": Label("`lab test`, the acceptance suite of one mode"),
    "down": Label("`lab down`", 3),
}


@dataclass(frozen=True)
class Machine:
    """The host that the figures are from."""

    processor: str
    cores: int
    memory_gib: float
    kernel: str
    kvm: bool
    """Whether a guest was seen to boot with it."""
    load: float
    """Processes that wanted a processor, on average over the minute before."""

    @classmethod
    def this(cls) -> Machine:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        models = [line for line in lines if line.startswith("model name")]
        processor = models[0].partition(": ")[2] if models else platform.processor()
        box = newest_box(cache_root())
        kvm = (
            box is not None and probe(box.kernel, Deadline(KVM_LIMIT), cache=cache_root() / "kvm.json").usable
        )
        return cls(
            processor, os.cpu_count() or 1, round(memory, 1), platform.release(), kvm, os.getloadavg()[0]
        )

    def __str__(self) -> str:
        how = "KVM" if self.kvm else "no KVM, guests are emulated"
        what = f"{self.processor}, {self.cores} cores, {self.memory_gib} GiB, Linux {self.kernel}, {how}"
        return f"{what}; load before: {self.load:.1f}"


def as_json(runs: Runs, machine: Machine) -> str:
    figures = {name: [asdict(run) for run in found] for name, found in runs.items()}
    return json.dumps({"machine": asdict(machine), "runs": figures}, indent=2)


def as_text(runs: Runs, machine: Machine) -> str:
    return "\n".join((str(machine), *_aligned(_rows(runs)), *_text_steps(runs)))


def as_markdown(runs: Runs, machine: Machine, words: Sequence[str]) -> str:
    """The page: how the figures were made, on what, and what they are. `scale` alone makes one part of it."""
    of_commands = {name: runs[name] for name in LABELS if name in runs}
    of_sizes = {name: found for name, found in runs.items() if name not in LABELS}
    parts = []
    if of_commands:
        parts += [_INTRODUCTION.format(words=" ".join(words), machine=machine)]
        parts += [_markdown(_page_rows(of_commands))]
        if "by-hand" in of_commands:
            parts += ["## The cluster by hand", STORY.strip()]
        for name, found in of_commands.items():
            if any(run.steps for run in found):
                parts += [f"## Steps of {LABELS[name].text}", _markdown(_step_rows(found))]
    if of_sizes:
        parts += [_SIZES.format(words=" ".join(words), machine=machine)]
        parts += [_markdown(_size_rows(of_sizes))]
    return "\n\n".join(part.strip() for part in parts) + "\n"


_INTRODUCTION = """\
# Performance

Whole commands, from the shell's prompt to the next, as
`scripts/bench {words}` printed them on

> {machine}

The software and the box are in the cache. All figures are of one call, so ratios compare like with like;
absolute times are those of this machine.
"""

_SIZES = """\
## One to six nodes

`scripts/bench {words}`, on

> {machine}

Topologies like `underlay-3node`: one control plane, the other nodes workers like its own. Each lab once.
"""


def _rows(runs: Runs) -> Iterator[tuple[str, ...]]:
    references = [name for name in REFERENCES if runs.get(name)]
    yield ("command", "runs", "median s", "min", "max", *(f"{name} is" for name in references))
    for name, found in runs.items():
        yield (name, *_figures(found), *_ratios(runs, references, found))


def _page_rows(runs: Runs) -> Iterator[tuple[str, ...]]:
    references = [name for name in REFERENCES if runs.get(name)]
    heads = {"by-hand": "by hand it takes", "up-cold": "built anew it takes"}
    yield ("command", "runs", "median s", "min", "max", "goal s", *(heads[name] for name in references))
    for name, found in runs.items():
        ratios = _ratios(runs, references, found)
        yield (LABELS[name].text, *_figures(found), LABELS[name].goal_text, *ratios)


def _figures(found: Sequence[Run]) -> tuple[str, ...]:
    whole = [run.seconds for run in found]
    return (str(len(whole)), f"{statistics.median(whole):.1f}", f"{min(whole):.1f}", f"{max(whole):.1f}")


def _ratios(runs: Runs, references: Sequence[str], found: Sequence[Run]) -> Iterator[str]:
    for name in references:
        yield f"{_median(runs[name]) / _median(found):.1f} times"


def _median(runs: Sequence[Run]) -> float:
    return statistics.median(run.seconds for run in runs)


def _size_rows(runs: Runs) -> Iterator[tuple[str, ...]]:
    yield ("nodes", "built anew, s", "from the cache, s", "built anew it takes")
    for name, cold in runs.items():
        kind, _, size = name.partition(", ")
        if kind == COLD:
            warm = runs.get(f"{WARM}, {size}")
            seconds = f"{_median(warm):.1f}" if warm else "-"
            ratio = f"{_median(cold) / _median(warm):.1f} times" if warm else "-"
            yield (size, f"{_median(cold):.1f}", seconds, ratio)


def _step_rows(runs: Sequence[Run]) -> Iterator[tuple[str, ...]]:
    total = _median(runs)
    yield ("step", "median s", "min", "max", "share")
    for step in dict.fromkeys(step for run in runs for step in run.steps):
        times = [run.steps[step] for run in runs if step in run.steps]
        median = statistics.median(times)
        yield (step, f"{median:.1f}", f"{min(times):.1f}", f"{max(times):.1f}", f"{median / total:.0%}")


def _text_steps(runs: Runs) -> Iterator[str]:
    for name, found in runs.items():
        if any(run.steps for run in found):
            yield from ("", f"steps of {name}", *_aligned(_step_rows(found)))


def _aligned(rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for first, *rest in table:
        cells = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        yield "  ".join((first.ljust(widths[0]), *cells))


def _markdown(rows: Iterator[tuple[str, ...]]) -> str:
    head, *rest = rows
    rule = ("---", *("---:" for _ in head[1:]))
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rest))
