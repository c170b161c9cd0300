"""The figures as a table on a terminal, as JSON, and as the page docs/performance.md."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.runs import Run

Runs = Mapping[str, Sequence[Run]]
REFERENCES = ("by-hand", "up-cold")
"""What the other figures are shares of, where it was measured in the same call."""
DAYS_NAMES = {
    "by-hand": "the same cluster by hand: machine after machine, scp, image load, init, join",
    "up-cold": "`lab up`, built anew",
    "up-warm": "`lab up` of a lab in the cache",
    "rebuild": "`lab rebuild`",
    "mode-switch": "`lab rebuild --mode`, into a mode seen before",
    "suite": "`lab test`, the acceptance suite of one mode",
    "down": "`lab down`",
}


@dataclass(frozen=True)
class Machine:
    """The host that the figures are from."""

    processor: str
    cores: int
    memory_gib: float
    kernel: str
    kvm: bool

    @classmethod
    def this(cls) -> Machine:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        models = [line for line in lines if line.startswith("model name")]
        processor = models[0].partition(": ")[2] if models else platform.processor()
        kvm = Path("/dev/kvm").exists()
        return cls(processor, os.cpu_count() or 1, round(memory, 1), platform.release(), kvm)

    def __str__(self) -> str:
        how = "KVM" if self.kvm else "no KVM, guests are emulated"
        return f"{self.processor}, {self.cores} cores, {self.memory_gib} GiB, Linux {self.kernel}, {how}"


def as_json(runs: Runs) -> str:
    figures = {name: [asdict(run) for run in found] for name, found in runs.items()}
    return json.dumps({"machine": asdict(Machine.this()), "runs": figures}, indent=2)


def as_text(runs: Runs) -> str:
    return "\n".join((str(Machine.this()), *_aligned(_rows(runs)), *_text_steps(runs)))


def as_markdown(runs: Runs, words: Sequence[str]) -> str:
    """The page, whole: it says how the figures were made and on what."""
    tables = [_markdown(_rows(runs, DAYS_NAMES))]
    for name, found in runs.items():
        if any(run.steps for run in found) and not name.startswith("up-cold,"):
            tables += [f"## Steps: {name}", _markdown(_step_rows(found))]
    page = f"""\
# Performance

Figures of whole commands, from the shell's prompt to the next, as `scripts/bench {" ".join(words)}` printed
them on

> {Machine.this()}

with nothing else running. The software and the box are in the cache. All figures are of one call, so ratios
compare like with like; absolute times are those of this machine.
"""
    return "\n\n".join((page.rstrip(), *tables)) + "\n"


def _rows(runs: Runs, names: Mapping[str, str] | None = None) -> Iterator[tuple[str, ...]]:
    reference = next((name for name in REFERENCES if runs.get(name)), None)
    ratio = (f"{reference} is",) if reference else ()
    yield ("command", "runs", "median s", "min", "max", *ratio)
    for name, found in runs.items():
        whole = [run.seconds for run in found]
        if not whole:
            continue
        median = statistics.median(whole)
        base = statistics.median(run.seconds for run in runs[reference]) if reference else 0.0
        times = (f"{base / median:.1f} times",) if reference else ()
        label = (names or {}).get(name, name)
        yield (label, str(len(found)), f"{median:.1f}", f"{min(whole):.1f}", f"{max(whole):.1f}", *times)


def _step_rows(runs: Sequence[Run]) -> Iterator[tuple[str, ...]]:
    total = statistics.median(run.seconds for run in runs)
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
