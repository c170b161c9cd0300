"""Dataclasses in files of their own, as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import TypeAdapter, ValidationError

from lab.foundation.errors import LabError
from lab.foundation.files import write_atomically
from lab.foundation.strict import problems_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")


def read_json(path: Path, kind: TypeAdapter[T], *, what: str, resolution: str) -> T | None:
    """What `write_json` wrote there; None when there is no such file.

    Raises LabError, "`what` cannot be read", for a file that is something else.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return kind.validate_json(text)
    except ValidationError as error:
        raise LabError(
            f"{what} cannot be read: {path}", details=problems_of(error), resolution=resolution
        ) from error


def write_json(path: Path, content: DataclassInstance, mode: int = 0o644) -> None:
    """Whole, or as it was before, with these permission bits."""
    write_atomically(path, json.dumps(asdict(content), indent=2) + "\n", mode)
