"""`lab exercise check`: whether the lab is well, who made it so, and what that is worth."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.journal import Silence
from lab.foundation.paths import LabFolder
from lab.foundation.process import run_with_terminal
from lab.foundation.progress import Progress
from lab.foundation.seal import seal
from lab.operations.context import Lab
from lab.operations.exercises.lifecycle import exercise_of, require_exercise
from lab.operations.exercises.objects import workloads_not_ready
from lab.operations.exercises.symptoms import Symptom, symptoms_of
from lab.operations.suite_page import Check, judged, read_checks
from lab.operations.testing import NOT_JUDGED, suite_words
from lab.state.exercise import Return, write_exercise

PASSED, FAILED = 0, 1
"""Exit status of pytest: https://docs.pytest.org/en/stable/reference/exit-codes.html."""
OBJECTS = "objects of the exercise"


@dataclass(frozen=True)
class Verdict:
    """What the check of an exercise came to."""

    exercise: str
    student: str
    digest: str
    healthy: bool
    """Whether the whole suite passed, and the pods of the exercise are ready."""
    symptoms: tuple[Symptom, ...]
    returns: tuple[Return, ...]
    """When the machines went back: what is well after that was not mended by hand."""
    points: int
    of_points: int
    judged: bool = True
    """False on a cluster that was too slow for it."""

    @property
    def by_hand(self) -> bool:
        return self.healthy and not self.returns

    @property
    def exit_status(self) -> int:
        if not self.judged:
            return NOT_JUDGED
        return 0 if self.by_hand else 1

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "by_hand": self.by_hand}


@dataclass(frozen=True)
class Judgement:
    """A verdict with the JUnit XML that it came from, which names causes."""

    verdict: Verdict
    junit: str


def check_exercise(folder: LabFolder, progress: Progress) -> Verdict:
    """Judge the lab with the whole acceptance suite, of which only the symptoms are told.

    Raises WrongUseError when no exercise runs, LabError when the lab or the suite does not run.
    """
    return judge_exercise(folder, progress).verdict


def judge_exercise(folder: LabFolder, progress: Progress) -> Judgement:
    """As `check_exercise`; the first report of an exercise stays on its record, sealed."""
    record = require_exercise(folder)
    if not record.ready:
        raise WrongUseError(
            f"the start of the exercise {record.name} never finished",
            resolution="run its lab exercise start again, or lab exercise stop",
        )
    exercise = exercise_of(record)
    lab = Lab.open(folder, progress)
    lab.require_running()
    idle = workloads_not_ready(lab, exercise.objects)
    with progress.step("the whole acceptance suite, which takes minutes"), Silence():
        status, checks, junit = _suite(folder)
    symptoms = symptoms_of(checks)
    if idle:
        objects = Symptom(OBJECTS, len(idle), len(idle), tuple(f"{each} is not ready" for each in idle))
        symptoms = (*symptoms, objects)
    healthy = status == PASSED and not symptoms
    # The record once more: the machines may have gone back meanwhile.
    record = require_exercise(folder)
    if not record.before and status != NOT_JUDGED:
        record = replace(record, before=seal(junit))
        write_exercise(folder, record)
    returns = record.returns
    verdict = Verdict(
        exercise=record.name,
        student=record.student,
        digest=record.digest,
        healthy=healthy,
        symptoms=symptoms,
        returns=returns,
        points=exercise.points if healthy and not returns else 0,
        of_points=exercise.points,
        judged=status != NOT_JUDGED,
    )
    return Judgement(verdict, junit)


def _suite(folder: LabFolder) -> tuple[int, tuple[Check, ...], str]:
    """Its exit status, checks and JUnit XML.

    What it says of causes is on disk in a private folder only, and sealed.
    """
    with tempfile.TemporaryDirectory(prefix="lab-exercise-") as scratch:
        report = Path(scratch) / "report.xml"
        # Its cache would name the failing checks, in the folder of the suite.
        words = [*suite_words(report), "-p", "no:cacheprovider"]
        status = run_with_terminal(words, env={"LAB_NAME": folder.name}, silent=True)
        checks = read_checks(report)
        junit = report.read_text(encoding="utf-8") if report.exists() else ""
    if status not in (PASSED, FAILED, NOT_JUDGED) or (status == PASSED and not judged(checks)):
        raise LabError(
            "the acceptance suite has not come to its end",
            resolution="see whether the lab runs (lab status), then run the same command again",
        )
    return status, checks, junit
