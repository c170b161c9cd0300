"""The faults that are in a lab, on disk: written before a fault is put in, removed after it is out again.

While an exercise runs, the file hides them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, field

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from lab.foundation.errors import LabError
from lab.foundation.files import write_atomically
from lab.foundation.paths import LabFolder
from lab.foundation.seal import seal, unseal
from lab.foundation.strict import STRICT, problems_of


@dataclass(frozen=True, config=STRICT)
class InjectedFault:
    """A fault that is in a lab, or half in when a command was ended meanwhile."""

    name: str
    node: str
    """Empty for a fault that is not on one node."""
    since: str
    """UTC, ISO 8601."""
    before: Mapping[str, str] = field(default_factory=dict)
    """What it takes to undo it: what was there before, by names that the fault knows."""


@dataclass(frozen=True, config=STRICT)
class _Sealed:
    """The file while it hides the faults."""

    sealed: str


_FAULTS = TypeAdapter(tuple[InjectedFault, ...])
_FILE = TypeAdapter(tuple[InjectedFault, ...] | _Sealed)


def read_faults(folder: LabFolder) -> tuple[InjectedFault, ...]:
    """The faults in the lab, in the order in which they were put in. Raises LabError for a broken file."""
    try:
        text = folder.faults.read_bytes()
    except FileNotFoundError:
        return ()
    try:
        found = _FILE.validate_json(text)
        return _FAULTS.validate_json(unseal(found.sealed)) if isinstance(found, _Sealed) else found
    except ValueError as error:
        raise LabError(
            f"the record of the faults in {folder.name} cannot be read: {folder.faults}",
            details=problems_of(error) if isinstance(error, ValidationError) else str(error),
            resolution=f"lab rebuild --name {folder.name}",
        ) from error


def write_faults(folder: LabFolder, faults: Iterable[InjectedFault]) -> None:
    text = json.dumps([asdict(fault) for fault in faults], indent=2)
    if folder.exercise.exists():
        text = json.dumps({"sealed": seal(text)})
    write_atomically(folder.faults, f"{text}\n")
