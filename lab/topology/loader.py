"""Topology files: finding them, reading them, and saying all that is wrong with them at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from lab.foundation.errors import WrongUseError
from lab.foundation.paths import shipped
from lab.topology.checks import check
from lab.topology.document import Document, read_document
from lab.topology.draft import draft_of
from lab.topology.findings import Problem, TopologyError, did_you_mean, one_of
from lab.topology.models import Topology
from lab.topology.schema import understand

SUFFIXES = (".yaml", ".yml")


def load_topology(path: Path, *, known_modes: Collection[str] | None = None) -> Topology:
    """Read and check a topology file; with `known_modes` its mode must be one of them.

    Raises TopologyError with all findings at once, each with its place; WrongUseError when the file cannot be
    read.
    """
    document = read_document(path)
    written = {key: place.written for key, place in document.places.items()}
    understood = understand(document.value, written)
    problems = [
        *understood.problems,
        *check(draft_of(document.value)),
        *_mode_problems(document, known_modes),
    ]
    unreadable = {finding.position for finding in document.findings}
    placed = [document.finding(problem) for problem in problems]
    findings = [*document.findings, *(finding for finding in placed if finding.position not in unreadable)]
    if findings or understood.topology is None:
        raise TopologyError(path, findings)
    return understood.topology


def find_topology(name_or_path: str) -> Path:
    """The file of a topology given by its path, or by its name in one of `topology_folders()`.

    Raises WrongUseError that lists the names there are.
    """
    given = Path(name_or_path)
    if is_path(given):
        if given.is_file():
            return given
        raise WrongUseError(
            f"there is no topology file {given}",
            resolution=f"give the path of a file, or the name of a topology: {one_of(known_topologies())}",
        )
    known = known_topologies()
    if name_or_path in known:
        return known[name_or_path]
    raise WrongUseError(
        f"there is no topology '{name_or_path}'{did_you_mean(name_or_path, known)}",
        details=f"looked in {' and '.join(str(folder) for folder in topology_folders())}",
        resolution=f"use one of {one_of(known)}, or give the path of a file",
    )


def is_path(given: Path) -> bool:
    """Whether somebody who may give a name or a path has given a path."""
    return given.suffix in SUFFIXES or len(given.parts) > 1


def known_topologies() -> dict[str, Path]:
    """The topologies that can be asked for by name, with their files, in alphabetical order."""
    found: dict[str, Path] = {}
    for folder in topology_folders():
        for file in folder.iterdir() if folder.is_dir() else ():
            if file.suffix in SUFFIXES:
                found.setdefault(file.stem, file)
    return dict(sorted(found.items()))


def topology_folders() -> tuple[Path, ...]:
    """Where names are looked up: first in `topologies` here, then in what comes with the program."""
    here = Path.cwd() / "topologies"
    own = shipped("topologies")
    return (own,) if here.resolve() == own else (here, own)


def _mode_problems(document: Document, known_modes: Collection[str] | None) -> Iterator[Problem]:
    mode = document.value.get("mode") if isinstance(document.value, dict) else None
    if known_modes is None or not isinstance(mode, str) or mode in known_modes:
        return
    yield Problem(
        ("mode",),
        f"found the unknown mode '{mode}', expected {one_of(known_modes)}{did_you_mean(mode, known_modes)}",
    )
