"""What the suite said of the faults of each run, on record in the repository: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from lab.foundation.errors import LabError
from lab.foundation.files import write_atomically
from lab.foundation.strict import STRICT, problems_of


@dataclass(frozen=True, config=STRICT)
class Found:
    """What a run of the suite said of one of the faults that were in the lab."""

    fault: str
    naming: int
    """Failing checks that name the fault, each once."""
    check: str
    """The one of them that says least besides; empty when there is none."""
    words: str
    """Its line that names the fault."""
    node: str = ""
    """Empty for a fault that is not on one node, and where that is not on record."""


@dataclass(frozen=True, config=STRICT)
class Run:
    """One run of the suite on a lab with known mistakes in it."""

    mode: str
    faults: tuple[Found, ...]
    """All that were in the lab at the time."""
    failed: int
    """Checks that failed, each once, however many faults were in."""
    seconds: float | None = None
    """How long the suite took; None where that is not on record."""
    date: str = ""
    """UTC, ISO 8601; empty where that is not on record."""
    own_words: bool = True
    """Whether only a check's own words counted as naming a fault. False for the earliest runs, in which the
    causes counted too that the suite adds to every failing check, whatever it looks at."""

    @property
    def alone(self) -> bool:
        return len(self.faults) == 1

    @property
    def key(self) -> tuple[str, int, tuple[str, ...]]:
        """A later run with the same key takes the place of an earlier one."""
        return (self.mode, len(self.faults), tuple(sorted(found.fault for found in self.faults)))


_RUN = TypeAdapter(Run)


def read_runs(file: Path) -> tuple[Run, ...]:
    """The runs on record; none without the file. Raises LabError for a line that cannot be read."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return tuple(_read(line, f"{file}:{number}") for number, line in enumerate(lines, start=1))


def _read(line: str, place: str) -> Run:
    try:
        return _RUN.validate_json(line)
    except ValidationError as error:
        raise LabError(
            f"the record {place} cannot be read", details=problems_of(error), resolution="git diff shows why"
        ) from error


def write_runs(runs: Iterable[Run], file: Path) -> None:
    """Write them in the order of their keys, so that a new run changes one line."""
    ordered = sorted(runs, key=lambda run: run.key)
    write_atomically(file, "".join(f"{json.dumps(asdict(run), ensure_ascii=False)}\n" for run in ordered))


def record(run: Run, file: Path) -> None:
    """Put the run in the place of an earlier one of the same faults in the same mode; all others stay."""
    write_runs((*(each for each in read_runs(file) if each.key != run.key), run), file)
