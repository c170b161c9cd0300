"""What is kept of runs, and the records in which the page's figures are kept."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path

import yaml
from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from lab.foundation.files import write_atomically
from lab.foundation.strict import STRICT
from scripts.benchmarks.machine import Machine
from scripts.benchmarks.runs import Run

RECORDS = Path(__file__).parent / "records"
SPREAD_RUNS = 5
"""Of fewer runs the least and the most say nothing of the spread, so they are not kept."""


@dataclass(frozen=True, config=STRICT)
class Figures:
    """Seconds of a number of runs: their median, or the one there is."""

    runs: int
    seconds: float
    least: float | None = None
    most: float | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a spread of too few runs, and for runs of which the spread is missing."""
        if (self.least is None or self.most is None) != (self.runs < SPREAD_RUNS):
            raise ValueError(f"least and most are those of {SPREAD_RUNS} runs or more: {self}")

    @classmethod
    def of(cls, times: Sequence[float]) -> Figures:
        middle = round(statistics.median(times), 3)
        if len(times) < SPREAD_RUNS:
            return cls(len(times), middle)
        return cls(len(times), middle, round(min(times), 3), round(max(times), 3))

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """Runs, seconds, least and most, as a table has them."""
        runs = "1 run" if self.runs == 1 else f"median of {self.runs}"
        least, most = ("" if each is None else f"{each:.1f}" for each in (self.least, self.most))
        return runs, f"{self.seconds:.1f}", least, most


@dataclass(frozen=True, config=STRICT)
class Measured:
    """One measurement in one mode."""

    mode: str
    name: str
    whole: Figures
    steps: Mapping[str, Figures] = field(default_factory=dict)

    @classmethod
    def of(cls, mode: str, name: str, runs: Sequence[Run]) -> Measured:
        names = dict.fromkeys(step for run in runs for step in run.steps)
        steps = {step: Figures.of([run.steps[step] for run in runs if step in run.steps]) for step in names}
        return cls(mode, name, Figures.of([run.seconds for run in runs]), steps)


@dataclass(frozen=True, config=STRICT)
class Record:
    """The figures of one call of scripts/bench."""

    command: str
    day: str
    machine: Machine
    measured: tuple[Measured, ...]
    note: str = ""


@dataclass(frozen=True, config=STRICT)
class Told:
    """Figures of something else than scripts/bench, with the words that belong to them."""

    title: str
    command: str
    day: str
    machine: Machine
    before: str
    measured: tuple[Measured, ...]
    after: str


def load_record(name: str, folder: Path = RECORDS) -> Record | None:
    """The record of that name, None where there is none. Raises ValidationError when it is not one."""
    path = folder / f"{name}.yaml"
    return TypeAdapter(Record).validate_python(yaml.safe_load(path.read_text())) if path.exists() else None


def load_told(path: Path) -> Told:
    """Raises ValidationError when the file is not one."""
    return TypeAdapter(Told).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))


def save_record(name: str, record: Record, folder: Path = RECORDS) -> None:
    content = TypeAdapter(Record).dump_python(record, mode="json", exclude_none=True)
    write_atomically(folder / f"{name}.yaml", yaml.safe_dump(content, sort_keys=False, width=110))
