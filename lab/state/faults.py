"""The faults that are in a lab, on disk: written before a fault is put in, removed after it is out again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, field

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from lab.foundation.errors import LabError
from lab.foundation.files import write_atomically
from lab.foundation.paths import LabFolder
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


_FAULTS = TypeAdapter(tuple[InjectedFault, ...])


def read_faults(folder: LabFolder) -> tuple[InjectedFault, ...]:
    """The faults in the lab, in the order in which they were put in. Raises LabError for a broken file."""
    try:
        text = folder.faults.read_bytes()
    except FileNotFoundError:
        return ()
    try:
        return _FAULTS.validate_json(text)
    except ValidationError as error:
        raise LabError(
            f"the record of the faults in {folder.name} cannot be read: {folder.faults}",
            details=problems_of(error),
            resolution=f"lab rebuild --name {folder.name}",
        ) from error


def write_faults(folder: LabFolder, faults: Iterable[InjectedFault]) -> None:
    write_atomically(folder.faults, json.dumps([asdict(fault) for fault in faults], indent=2) + "\n")
