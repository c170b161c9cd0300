"""Recipes of teachers: finding them, reading them, and saying all that is wrong with them at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab.exercises.exercise import Exercise
from lab.exercises.pool import naming_problems, pool_problems
from lab.exercises.recipe_draft import Draft, draft_of
from lab.foundation.errors import WrongUseError
from lab.foundation.paths import shipped
from lab.modes.registry import mode_named, mode_names
from lab.topology.document import Document, read_document
from lab.topology.findings import Finding, Problem, TopologyError, did_you_mean, one_of
from lab.topology.loader import find_topology, is_path, load_topology
from lab.topology.mode_choice import ModeChoice
from lab.topology.plan import Plan
from lab.topology.planner import make_plan


class RecipeError(WrongUseError):
    """A recipe with all that is wrong in it."""

    def __init__(self, file: Path, findings: Iterable[Finding]) -> None:
        self.findings = tuple(sorted(set(findings), key=lambda finding: (finding.position, finding.text)))
        number = len(self.findings)
        super().__init__(
            f"{file} has {number} {'error' if number == 1 else 'errors'}; nothing was written",
            details="\n".join(map(str, self.findings)),
            resolution="correct the file; docs/exercises.md explains every key",
        )


def load_recipe(path: Path) -> Exercise:
    """Read and check a recipe, with the files that it names.

    Raises RecipeError with all findings at once, each with its place; WrongUseError when the file cannot be
    read.
    """
    document = _document(path)
    draft, shape = draft_of(document.value)
    base = path.parent
    lab = _lab_of(draft, base)
    objects = [
        _object_file(index, name, base) for index, name in enumerate(draft.objects) if name is not None
    ]
    problems = [
        *shape,
        *lab.problems,
        *(problem for each in objects for problem in each.problems),
        *pool_problems(draft.faults, draft.draw, lab.plan),
        *naming_problems(draft.faults, name=draft.name, title=draft.title, text=draft.text),
    ]
    findings = [*document.findings, *map(document.finding, problems)]
    if findings:
        raise RecipeError(path, findings)
    assert lab.plan is not None, "else there is a problem"
    return Exercise(
        name=draft.name or "",
        title=draft.title or "",
        text=draft.text or "",
        topology=lab.topology,
        mode=str(lab.plan.choice),
        objects=tuple(each.text for each in objects),
        faults=tuple(word for word in draft.faults if word is not None),
        draw=draft.draw or 1,
        points=draft.points or 0,
        reveal=draft.reveal is True,
    )


def find_recipe(name_or_path: str) -> Path:
    """The file of a recipe given by its path, or by its name among those of the project.

    Raises WrongUseError that lists the names there are.
    """
    given = Path(name_or_path)
    if is_path(given):
        if given.is_file():
            return given
        raise WrongUseError(f"there is no recipe {given}", resolution="give the path of a YAML file")
    known = shipped_recipes()
    if name_or_path in known:
        return known[name_or_path]
    raise WrongUseError(
        f"there is no exercise '{name_or_path}'{did_you_mean(name_or_path, known)}",
        resolution=f"use one of {one_of(known)}, or give the path of a file",
    )


def shipped_recipes() -> dict[str, Path]:
    """The recipes that come with the project, by name."""
    return {path.stem: path for path in sorted(shipped("exercises").glob("*.yaml"))}


def _document(path: Path) -> Document:
    try:
        return read_document(path)
    except TopologyError as error:
        # It reads any YAML, and speaks of what it was made for.
        found = [
            Finding(each.file, each.position, each.text.replace("topology", "recipe"))
            for each in error.findings
        ]
        raise RecipeError(path, found) from None


@dataclass(frozen=True)
class _RecipeLab:
    """The lab that a recipe asks for; without a plan there are problems."""

    topology: str = ""
    """YAML."""
    plan: Plan | None = None
    problems: tuple[Problem, ...] = ()


def _lab_of(draft: Draft, base: Path) -> _RecipeLab:
    if draft.topology is None:
        return _RecipeLab()
    given = Path(draft.topology)
    try:
        path = find_topology(str(base / given) if is_path(given) else draft.topology)
        plan = make_plan(load_topology(path, known_modes=mode_names()))
    except WrongUseError as error:
        said = f"found '{draft.topology}', expected a topology: {_in_a_line(error)}"
        return _RecipeLab(problems=(Problem(("topology",), said),))
    if draft.mode is None:
        return _RecipeLab()
    try:
        plan = plan.in_mode(ModeChoice.parse(draft.mode))
        mode_named(plan.mode).check(plan)
    except WrongUseError as error:
        said = f"found '{draft.mode}', expected a mode of this topology: {_in_a_line(error)}"
        return _RecipeLab(problems=(Problem(("mode",), said),))
    return _RecipeLab(path.read_text(encoding="utf-8-sig"), plan)


def _in_a_line(error: WrongUseError) -> str:
    return "; ".join([error.brief, *(error.details or error.resolution or "").splitlines()])


@dataclass(frozen=True)
class _ObjectFile:
    text: str = ""
    problems: tuple[Problem, ...] = ()


def _object_file(index: int, name: str, base: Path) -> _ObjectFile:
    """A file with Kubernetes objects."""
    try:
        text = (base / name).read_text(encoding="utf-8-sig")
        wrong = list(_wrong_objects(text))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        wrong = [" ".join(str(error).split())]
        text = ""
    said = (f"found '{name}', expected a file of Kubernetes objects: {why}" for why in wrong)
    return _ObjectFile(text, tuple(Problem(("objects", index), each) for each in said))


def _wrong_objects(text: str) -> Iterator[str]:
    documents = [each for each in yaml.safe_load_all(text) if each is not None]
    if not documents:
        yield "it has none"
    for number, each in enumerate(documents, start=1):
        metadata = each.get("metadata") if isinstance(each, dict) else None
        named = isinstance(metadata, dict) and metadata.get("name")
        if not named or not each.get("apiVersion") or not each.get("kind"):
            yield f"document {number} lacks apiVersion, kind or metadata.name"
