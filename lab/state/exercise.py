"""The exercise that runs in a lab, on disk. What its faults are stands there sealed."""

from __future__ import annotations

from dataclasses import replace

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from lab.foundation.json_file import read_json, write_json
from lab.foundation.paths import LabFolder
from lab.foundation.strict import STRICT
from lab.state.records import now


@dataclass(frozen=True, config=STRICT)
class Return:
    """An instant at which the machines were no longer those that the exercise began with."""

    how: str
    """What happened, after "the lab"."""
    when: str
    """UTC, ISO 8601."""


@dataclass(frozen=True, config=STRICT)
class ExerciseRecord:
    """An exercise that was begun and not stopped."""

    name: str
    student: str
    digest: str
    sealed: str
    """All of it: lab/exercises/exercise_file.py."""
    started: str
    """UTC, ISO 8601."""
    ready: bool = False
    """True once all its faults are in."""
    returns: tuple[Return, ...] = ()
    before: str = ""
    """JUnit XML of the first check, sealed; empty until there was one."""


_RECORD = TypeAdapter(ExerciseRecord)


def read_exercise(folder: LabFolder) -> ExerciseRecord | None:
    """The exercise in the lab; None without one. Raises LabError for a broken file."""
    return read_json(
        folder.exercise,
        _RECORD,
        what=f"the record of the exercise in {folder.name}",
        resolution=f"remove that file, then lab rebuild --name {folder.name}",
    )


def write_exercise(folder: LabFolder, record: ExerciseRecord) -> None:
    write_json(folder.exercise, record)


def remove_exercise(folder: LabFolder) -> None:
    folder.exercise.unlink(missing_ok=True)


def note_return(folder: LabFolder, how: str) -> None:
    """Put on record that the exercise's machines are others now; does nothing without an exercise."""
    record = read_exercise(folder)
    if record is not None:
        write_exercise(folder, replace(record, returns=(*record.returns, Return(how, now()))))
