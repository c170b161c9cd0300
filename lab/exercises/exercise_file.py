"""The file that students get: whole, with its faults hidden at a glance. Who wants to read them can."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from lab.exercises.exercise import Exercise
from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.files import read_at_most
from lab.foundation.seal import seal, unseal
from lab.foundation.strict import STRICT, problems_of

FORMAT: Literal[1] = 1
"""Raised when a file is laid out in another way."""
SUFFIX = ".exercise"
MAXIMUM_BYTES = 1 << 20
"""A larger file than any exercise is."""


@dataclass(frozen=True, config=STRICT)
class _File:
    format: Literal[1]
    name: str
    title: str
    digest: str
    """Of the exercise: `Exercise.digest`."""
    sealed: str


_FILE = TypeAdapter(_File)
_EXERCISE = TypeAdapter(Exercise)


def sealed_exercise(exercise: Exercise) -> str:
    """All of it in one word that says nothing at a glance."""
    return seal(json.dumps(asdict(exercise)))


def unsealed_exercise(sealed: str) -> Exercise:
    """What `sealed_exercise` made a word of. Raises ValueError for something else."""
    return _EXERCISE.validate_json(unseal(sealed))


def exercise_file_text(exercise: Exercise) -> str:
    """The contents of a file for students."""
    file = _File(FORMAT, exercise.name, exercise.title, exercise.digest, sealed_exercise(exercise))
    return json.dumps(asdict(file), indent=1) + "\n"


def read_exercise_file(path: Path) -> Exercise:
    """The exercise in a file that `lab exercise make` wrote.

    Raises WrongUseError for a file that is none, LabError for one that was changed on its way.
    """
    try:
        file = _FILE.validate_json(read_at_most(path, MAXIMUM_BYTES))
    except ValidationError as error:
        raise WrongUseError(
            f"{path} is no exercise",
            details=problems_of(error),
            resolution="name a file that `lab exercise make` of this version has written",
        ) from None
    try:
        exercise = unsealed_exercise(file.sealed)
    except ValueError:
        exercise = None
    if exercise is None or (exercise.digest, exercise.name) != (file.digest, file.name):
        # Without the reason, which would quote what is hidden.
        raise LabError(f"the exercise in {path} is damaged", resolution="get the file again") from None
    return exercise
