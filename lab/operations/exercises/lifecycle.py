"""Exercises: made from a teacher's recipe, begun in a student's own lab, ended."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from lab.exercises.exercise import Exercise, drawn, student_id
from lab.exercises.exercise_file import (
    SUFFIX,
    exercise_file_text,
    read_exercise_file,
    sealed_exercise,
    unsealed_exercise,
)
from lab.exercises.recipe import find_recipe, load_recipe, shipped_recipes
from lab.exercises.teacher_key import SUFFIX as KEY_SUFFIX
from lab.exercises.teacher_key import TeacherKey, key_file_text, read_key_file
from lab.faults.registry import fault_named
from lab.foundation import journal
from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.files import write_output
from lab.foundation.journal import Silence
from lab.foundation.paths import LabFolder
from lab.foundation.progress import Progress, SilentProgress
from lab.operations.context import Lab
from lab.operations.exercises.objects import apply_objects
from lab.operations.faults import put_fault
from lab.operations.keeping.discarding import keep_what_was_made
from lab.operations.planning import plan_of
from lab.operations.rebuild import rebuild_lab
from lab.operations.up import UpRequest, bring_up
from lab.state.exercise import ExerciseRecord, read_exercise, remove_exercise, write_exercise
from lab.state.records import lab_folder, now, read_record
from lab.topology.loader import load_topology


@dataclass(frozen=True)
class ExerciseRow:
    """An exercise that comes with the project, without its faults."""

    name: str
    title: str
    topology: str
    mode: str
    points: int

    def as_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class Made:
    """An exercise for students, and what the teacher keeps."""

    exercise: Exercise
    path: Path
    key: Path


@dataclass(frozen=True)
class Started:
    """An exercise that a student may begin to work on."""

    folder: LabFolder
    exercise: Exercise
    student: str


@dataclass(frozen=True)
class Stopped:
    """An exercise that was ended."""

    record: ExerciseRecord
    causes: tuple[str, ...]
    """One line for each fault; empty where the recipe does not reveal them."""


def exercise_rows() -> tuple[ExerciseRow, ...]:
    """Those that come with the project, by name."""
    return tuple(_row(load_recipe(path)) for path in shipped_recipes().values())


def make_exercise(recipe: str, target: Path | None, key_file: Path | None) -> Made:
    """Write the file for students and the teacher's key, by default both in the current folder.

    A key of the same exercise that is there stays, so that it opens all hand-ins. Raises RecipeError with all
    that is wrong in the recipe, WrongUseError when there is none or a key of another exercise in the way,
    LabError when a file cannot be written.
    """
    exercise = load_recipe(find_recipe(recipe))
    path = target or Path(f"{exercise.name}{SUFFIX}")
    key_path = key_file or Path(f"{exercise.name}{KEY_SUFFIX}")
    key = read_key_file(key_path) if key_path.exists() else TeacherKey.new(exercise)
    if key.exercise.digest != exercise.digest:
        raise WrongUseError(
            f"{key_path} is the key of another version of the exercise: digest {key.exercise.digest[:12]}",
            details="hand-ins of that version can be opened by it alone",
            resolution="keep it under another name, or give this one another name with --key",
        )
    if not key_path.exists():
        write_output(key_path, key_file_text(key), private=True)
    write_output(path, exercise_file_text(key.exercise))
    return Made(key.exercise, path, key_path)


def open_exercise(file_or_name: str) -> Exercise:
    """The exercise of a file that `make_exercise` wrote, or of that name among those of the project.

    Raises WrongUseError where there is none, LabError for a damaged file.
    """
    path = Path(file_or_name)
    if path.suffix == SUFFIX or path.is_file():
        if not path.is_file():
            raise WrongUseError(f"there is no file {path}", resolution="lab exercise list")
        return read_exercise_file(path)
    return load_recipe(find_recipe(file_or_name))


def start_exercise(
    exercise: Exercise,
    student: str,
    name: str | None,
    supply: str | None,
    progress: Progress,
    *,
    discard: bool = True,
) -> Started:
    """Bring the lab into the state of the exercise and put the student's faults in, which nothing tells.

    A lab that is there goes back to the clean cluster in the mode of the exercise; without `discard`, what
    users have made in it is told and kept before. A start that was ended in the middle may be repeated.
    Raises WrongUseError while an exercise runs and for a lab of another topology, LabError when something
    fails.
    """
    number = student_id(student)
    faults = drawn(exercise, number)
    with topology_file(exercise) as source:
        folder = lab_folder(name or load_topology(source).name)
        _refuse_second(folder)
        remove_exercise(folder)
        if not discard and read_record(folder) is not None:
            keep_what_was_made(folder, "lab exercise start", progress)
        _clean_cluster(folder, source, exercise.mode, supply, progress)
    lab = Lab.open(folder, progress)
    if exercise.objects:
        with progress.step("objects of the exercise"):
            apply_objects(lab, exercise.objects)
    record = ExerciseRecord(exercise.name, number, exercise.digest, sealed_exercise(exercise), now())
    write_exercise(folder, record)
    with progress.step("prepare the exercise"), Silence():
        try:
            for entry in faults:
                put_fault(folder, entry.fault, entry.node or None, SilentProgress())
        except (LabError, OSError):
            raise LabError(
                f"the exercise {exercise.name} could not be prepared in the lab {folder.name}",
                details="why is not told, as it would tell what is wrong in the exercise",
                resolution="run the same command again; if that fails too, run lab exercise stop",
            ) from None
    write_exercise(folder, replace(record, ready=True))
    return Started(folder, exercise, number)


def stop_exercise(folder: LabFolder, progress: Progress) -> Stopped:
    """End the exercise, and bring the lab back to the clean cluster in its mode.

    It has ended even if the lab cannot be brought back. Raises WrongUseError when none runs, LabError when
    the lab does not run.
    """
    record = require_exercise(folder)
    exercise = exercise_of(record)
    causes = _causes(exercise, record) if exercise.reveal else ()
    remove_exercise(folder)
    rebuild_lab(folder, exercise.mode, progress)
    return Stopped(record, causes)


def require_exercise(folder: LabFolder) -> ExerciseRecord:
    """The exercise that runs, or whose start was ended in the middle. Raises WrongUseError without one."""
    record = read_exercise(folder)
    if record is None:
        raise WrongUseError(
            f"no exercise runs in the lab {folder.name}",
            resolution="lab exercise start FILE --student ID; `lab exercise list` shows those of the project",
        )
    return record


def exercise_of(record: ExerciseRecord) -> Exercise:
    """The whole exercise of the record. Raises LabError when it was changed."""
    try:
        exercise = unsealed_exercise(record.sealed)
    except ValueError:
        exercise = None
    if exercise is None or exercise.digest != record.digest:
        raise LabError(
            f"the record of the exercise {record.name} was changed",
            resolution="lab down, then start the exercise again",
        ) from None
    return exercise


@contextmanager
def topology_file(exercise: Exercise) -> Iterator[Path]:
    """The topology of the exercise as a file, which is there for as long as it is needed."""
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "topology.yaml"
        source.write_text(exercise.topology, encoding="utf-8")
        yield source


def _row(exercise: Exercise) -> ExerciseRow:
    with topology_file(exercise) as source:
        topology = load_topology(source).name
    return ExerciseRow(exercise.name, exercise.title, topology, exercise.mode, exercise.points)


def _refuse_second(folder: LabFolder) -> None:
    record = read_exercise(folder)
    if record is not None and record.ready:
        raise WrongUseError(
            f"the exercise {record.name} of {record.student} runs in the lab {folder.name} already",
            resolution="`lab exercise check` says what fails, `lab exercise stop` ends it",
        )


def _clean_cluster(
    folder: LabFolder, source: Path, mode: str, supply: str | None, progress: Progress
) -> None:
    """The lab, up and as `lab up` makes it, in that mode.

    Raises WrongUseError when it was made from another topology.
    """
    known = read_record(folder)
    if known is None:
        bring_up(UpRequest(str(source), mode, supply, folder.name), progress)
        return
    journal.keep_in(folder.log)
    lab = Lab.open(folder, progress)
    if plan_of(source).in_mode(lab.plan.choice) != lab.plan:
        raise WrongUseError(
            f"the lab {folder.name} was made from another topology than the exercise needs",
            resolution=f"lab down --name {folder.name} first, or give the lab another name with --name",
        )
    if not (lab.site.running and lab.record.ready):
        bring_up(UpRequest(str(source), known.mode, supply, folder.name), progress)
    rebuild_lab(folder, mode, progress)


def _causes(exercise: Exercise, record: ExerciseRecord) -> tuple[str, ...]:
    return tuple(
        f"{entry.fault}{f' on {entry.node}' if entry.node else ''}: {fault_named(entry.fault).summary}"
        for entry in drawn(exercise, record.student)
    )
