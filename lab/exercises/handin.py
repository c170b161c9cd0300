"""What a student hands in: one file, which the teacher's key alone opens."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, field
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from lab.exercises.exercise import Exercise
from lab.exercises.teacher_key import TeacherKey
from lab.foundation.errors import LabError
from lab.foundation.files import read_at_most
from lab.foundation.seal import pack_text, unpack_text
from lab.foundation.sealed_box import close_box, key_id, open_box
from lab.foundation.strict import STRICT
from lab.state.exercise import Return

FORMAT: Literal[1] = 1
"""Raised when a file is laid out in another way."""
SUFFIX = ".handin"
MAXIMUM_BYTES = 1 << 20


@dataclass(frozen=True, config=STRICT)
class Found:
    """A cause, in the student's own words."""

    node: str
    """A node of the lab, or `cluster` or `lan`."""
    cause: str


@dataclass(frozen=True, config=STRICT)
class NodeFacts:
    """What a node said of itself; only the name where it did not answer."""

    name: str
    kernel: str = ""
    boot: str = ""
    """Another one after each boot: boot_id, random(4)."""
    up_seconds: int = 0
    kubelet: str = ""


@dataclass(frozen=True, config=STRICT)
class Claim:
    """What the check on the student's machine came to."""

    healthy: bool
    judged: bool
    returns: tuple[Return, ...]
    """When the machines went back to a snapshot or were made anew."""


@dataclass(frozen=True, config=STRICT)
class HandIn:
    """All that is handed in; nothing of it opens a cluster."""

    student: str
    started: str
    handed_in: str
    """Both UTC, ISO 8601."""
    found: tuple[Found, ...]
    report: str
    script: str
    """Bash that is run on every node; empty without one."""
    claim: Claim
    before: str
    """JUnit XML of the first check; empty without one."""
    after: str
    """JUnit XML of the check at the hand-in."""
    nodes: tuple[NodeFacts, ...]
    program: str
    """Version and commit of `lab`."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 by what it is of."""


@dataclass(frozen=True, config=STRICT)
class Label:
    """What everybody can read of a hand-in."""

    exercise: str
    digest: str
    student: str
    key: str
    """Which key opens it."""

    @property
    def bound(self) -> bytes:
        """What the box is closed with."""
        return json.dumps(asdict(self), sort_keys=True).encode()


@dataclass(frozen=True, config=STRICT)
class _File:
    format: Literal[1]
    label: Label
    box: str
    """In base64."""


_FILE = TypeAdapter(_File)
_HANDIN = TypeAdapter(HandIn)


class NoHandInError(LabError):
    """A file that is no hand-in."""


class ForeignError(LabError):
    """A hand-in of another exercise, or made without the file that belongs to the key."""

    def __init__(self, brief: str, label: Label) -> None:
        super().__init__(brief)
        self.label = label


class TamperedError(LabError):
    """A hand-in that is not as `lab handin` wrote it."""

    def __init__(self, brief: str, label: Label) -> None:
        super().__init__(brief)
        self.label = label


def handin_text(handin: HandIn, exercise: Exercise) -> str:
    """The contents of the file. Raises ValueError when the exercise has no public key that is one."""
    public = base64.b64decode(exercise.public_key, validate=True)
    label = Label(exercise.name, exercise.digest, handin.student, key_id(public))
    content = pack_text(json.dumps(asdict(handin)))
    box = base64.b64encode(close_box(content, public, label.bound)).decode()
    return json.dumps(asdict(_File(FORMAT, label, box)), indent=1) + "\n"


def read_handin(path: Path, key: TeacherKey) -> HandIn:
    """Open the file. Raises NoHandInError, ForeignError, TamperedError; LabError when it cannot be read."""
    raw = read_at_most(path, MAXIMUM_BYTES + 1)
    if len(raw) > MAXIMUM_BYTES:
        raise NoHandInError(f"larger than {MAXIMUM_BYTES >> 20} MiB")
    try:
        file = _FILE.validate_json(raw)
    except ValidationError:
        raise NoHandInError("no file that `lab handin` of this version has written") from None
    label, exercise = file.label, key.exercise
    if label.exercise != exercise.name:
        raise ForeignError(f"of the exercise {label.exercise}", label)
    if label.digest != exercise.digest:
        raise ForeignError(f"of another version of the exercise: digest {label.digest[:12]}", label)
    if label.key != key.id:
        raise ForeignError("made with the file of another key", label)
    try:
        content = open_box(base64.b64decode(file.box, validate=True), key.private, label.bound)
        handin = _HANDIN.validate_json(unpack_text(content))
    except ValueError:
        # Without the reason, which is about encryption.
        raise TamperedError("not as lab handin wrote it", label) from None
    if handin.student != label.student:
        raise TamperedError("its label names another student", label)
    return handin
