"""Reading the catalogue: one YAML file per version of Kubernetes."""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path

import yaml
from pydantic import TypeAdapter, ValidationError

from lab.foundation.errors import LabError, WrongUseError
from lab.supply.catalogue.models import Entry

FOLDER = Path(__file__).parent


def versions(folder: Path = FOLDER) -> tuple[str, ...]:
    """The versions of Kubernetes in the catalogue, such as v1.24.10, oldest first."""
    found = [path.stem for path in folder.glob("v*.yaml")]
    return tuple(sorted(found, key=lambda name: [int(part) for part in name[1:].split(".")]))


@cache
def load_entry(version: str, folder: Path = FOLDER) -> Entry:
    """The entry of a version such as v1.24.10.

    Raises WrongUseError when the catalogue does not have it, LabError when its file is not well-formed.
    """
    known = versions(folder)
    if version not in known:
        near = difflib.get_close_matches(version, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise WrongUseError(
            f"Kubernetes {version} is not in the catalogue{hint}",
            details=f"it has {', '.join(known)}",
            resolution="name one of these versions",
        )
    path = folder / f"{version}.yaml"
    try:
        entry: Entry = TypeAdapter(Entry).validate_python(yaml.safe_load(path.read_text()))
    except (yaml.YAMLError, ValidationError) as error:
        raise LabError(f"the catalogue's file {path} is wrong", details=str(error)) from error
    if entry.kubernetes_version != version:
        raise LabError(
            f"the catalogue's file {path} is wrong", details=f"it is for {entry.kubernetes_version}"
        )
    return entry
