"""What opens the hand-ins of an exercise: a private key, with the exercise that it belongs to."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal, Self

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from lab.exercises.exercise import Exercise
from lab.exercises.exercise_file import sealed_exercise, unsealed_exercise
from lab.foundation.errors import WrongUseError
from lab.foundation.files import read_at_most
from lab.foundation.sealed_box import key_id, new_private_key, public_key_of
from lab.foundation.strict import STRICT, problems_of

FORMAT: Literal[1] = 1
"""Raised when a file is laid out in another way."""
SUFFIX = ".key"
MAXIMUM_BYTES = 1 << 20


@dataclass(frozen=True, config=STRICT)
class _File:
    format: Literal[1]
    name: str
    digest: str
    """Of the exercise: `Exercise.digest`."""
    private: str
    """X25519, in base64."""
    sealed: str
    """The exercise, without a key."""


_FILE = TypeAdapter(_File)


@dataclass(frozen=True)
class TeacherKey:
    """The key of one exercise, which students do not have."""

    private: bytes
    exercise: Exercise
    """With the public key, as students get it."""

    @classmethod
    def of(cls, private: bytes, exercise: Exercise) -> Self:
        public = base64.b64encode(public_key_of(private)).decode()
        return cls(private, replace(exercise, public_key=public))

    @classmethod
    def new(cls, exercise: Exercise) -> Self:
        return cls.of(new_private_key(), exercise)

    @property
    def id(self) -> str:
        return key_id(public_key_of(self.private))


def key_file_text(key: TeacherKey) -> str:
    """The contents of a file for the teacher alone."""
    exercise = key.exercise
    private = base64.b64encode(key.private).decode()
    sealed = sealed_exercise(replace(exercise, public_key=""))
    return json.dumps(asdict(_File(FORMAT, exercise.name, exercise.digest, private, sealed)), indent=1) + "\n"


def read_key_file(path: Path) -> TeacherKey:
    """The key in a file that `lab exercise make` wrote.

    Raises WrongUseError for a file that is none, LabError for one that cannot be read.
    """
    try:
        file = _FILE.validate_json(read_at_most(path, MAXIMUM_BYTES))
    except ValidationError as error:
        raise _no_key(path, problems_of(error)) from None
    try:
        exercise = unsealed_exercise(file.sealed)
        key = TeacherKey.of(base64.b64decode(file.private, validate=True), exercise)
    except ValueError:
        raise _no_key(path, "it is damaged") from None
    if (exercise.digest, exercise.name) != (file.digest, file.name):
        raise _no_key(path, "it was changed")
    return key


def _no_key(path: Path, why: str) -> WrongUseError:
    return WrongUseError(
        f"{path} is no key of an exercise",
        details=why,
        resolution="name the file NAME.key that `lab exercise make` of this version has written",
    )
