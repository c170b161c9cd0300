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


def full_version(wanted: str, folder: Path = FOLDER) -> str:
    """The version that is meant: v1.37 is the newest patch release of v1.37 that the catalogue has.

    Raises WrongUseError, with all versions, when the catalogue has none of that name.
    """
    known = versions(folder)
    if wanted in known:
        return wanted
    if patches := [version for version in known if version.rpartition(".")[0] == wanted]:
        return patches[-1]
    near = difflib.get_close_matches(wanted, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise WrongUseError(
        f"Kubernetes {wanted} is not in the catalogue{hint}",
        details=f"it has {', '.join(known)}",
        resolution="name one of these versions",
    )


@cache
def load_entry(version: str, folder: Path = FOLDER) -> Entry:
    """The entry of a version such as v1.24.10.

    Raises WrongUseError when the catalogue does not have it, LabError when its file is not well-formed.
    """
    version = full_version(version, folder)
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
