"""An exercise as students get it: all that it takes, and which of its faults are whose."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import Self

from pydantic.dataclasses import dataclass as checked_dataclass

from lab.foundation.errors import WrongUseError
from lab.foundation.strict import STRICT

AT = "@"
_STUDENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


@dataclass(frozen=True)
class PoolEntry:
    """A fault that a student may get, and where."""

    fault: str
    node: str
    """Empty where the fault has a place of its own: the last worker, or no one node."""

    @classmethod
    def parse(cls, word: str) -> Self:
        """From `FAULT` or `FAULT@NODE`."""
        fault, _, node = word.partition(AT)
        return cls(fault, node)

    def __str__(self) -> str:
        return f"{self.fault}{AT}{self.node}" if self.node else self.fault


@checked_dataclass(frozen=True, config=STRICT)
class Exercise:
    """A recipe with the contents of the files that it names, so that nothing else is needed."""

    name: str
    title: str
    text: str
    """For the student."""
    topology: str
    """YAML."""
    mode: str
    """With its options."""
    objects: tuple[str, ...]
    """YAML, a text for each file; applied in this order."""
    faults: tuple[str, ...]
    """The pool, each as in `PoolEntry.parse`."""
    draw: int
    """How many of them each student gets."""
    points: int
    """For a healthy lab that was mended by hand."""
    reveal: bool
    """Whether the end of the exercise tells its faults."""
    public_key: str = ""
    """The teacher's, in base64, for hand-ins; empty for a recipe that no teacher has made a file of."""

    @property
    def digest(self) -> str:
        """SHA-256 over all of it but the key: the same for all who have the same exercise."""
        said = asdict(self)
        del said["public_key"]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def student_id(text: str) -> str:
    """The student's number as it is drawn from. Raises WrongUseError for one that cannot be."""
    if not _STUDENT.fullmatch(text):
        raise WrongUseError(
            f"{text!r} is not a valid student number",
            resolution="use at most 40 letters, digits, '.', '_' and '-', with a letter or digit first",
        )
    return text.lower()


def drawn(exercise: Exercise, student: str) -> tuple[PoolEntry, ...]:
    """The faults of that student: always the same, no fault twice.

    Of the pool in an order that the digest of exercise and number decides, the first ones.
    """
    number = student_id(student)

    def rank(entry: str) -> bytes:
        return hashlib.sha256(f"{exercise.digest}\0{number}\0{entry}".encode()).digest()

    chosen: dict[str, PoolEntry] = {}
    for entry in map(PoolEntry.parse, sorted(exercise.faults, key=rank)):
        chosen.setdefault(entry.fault, entry)
    return tuple(chosen.values())[: exercise.draw]
