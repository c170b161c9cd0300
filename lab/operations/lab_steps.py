"""The steps of `lab up` in one lab: how far each is, what it wrote on the nodes, and how to look at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from lab.cluster.binaries.work import Work
from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.operations.binary_steps import OnNodes
from lab.operations.context import Lab
from lab.operations.exercises.during_exercise import refuse_during_exercise
from lab.operations.steps import NamedStep
from lab.operations.up_order import all_steps, cluster_steps
from lab.topology.findings import did_you_mean


class State(StrEnum):
    DONE = "done"
    TO_DO = "to do"


@dataclass(frozen=True)
class StepRow:
    """One step, as it is now."""

    key: str
    name: str
    state: State

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class WrittenFile:
    """A file that a step writes, and on which nodes."""

    path: str
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class StepDetails:
    """All of one step."""

    row: StepRow
    files: tuple[WrittenFile, ...] = ()
    units: tuple[str, ...] = ()
    checks: tuple[tuple[str, str, bool], ...] = ()
    """Of each node: its name, its own check as one command of bash, and whether it ends well now."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def steps_of_lab(folder: LabFolder) -> tuple[StepRow, ...]:
    """All steps in their order, each asked now.

    Raises WrongUseError while an exercise runs there.
    """
    lab = _open(folder)
    cluster = cluster_steps(lab.plan)
    rows: list[StepRow] = []
    for step in all_steps(lab.plan):
        # Without a whole cluster, what comes after it would only wait for answers.
        asked = step in cluster or all(row.state is State.DONE for row in rows)
        rows.append(_row(lab, step) if asked else StepRow(step.key, step.name, State.TO_DO))
    return tuple(rows)


def step_of_lab(folder: LabFolder, key: str) -> StepDetails:
    """What is known of the step with that key; files, units and check of those of a cluster from binaries.

    Raises WrongUseError for a key that no step has, and like `steps_of_lab`.
    """
    lab = _open(folder)
    steps = {step.key: step for step in all_steps(lab.plan)}
    if key not in steps:
        raise WrongUseError(
            f"no step of the lab {folder.name} has the name {key}{did_you_mean(key, steps)}",
            resolution=f"use one of: {', '.join(steps)}",
        )
    step = steps[key]
    if not isinstance(step, OnNodes) or not lab.record.box_digest:
        return StepDetails(next(row for row in steps_of_lab(folder) if row.key == key))
    works = {node.name: step.work(lab.installation, node) for node in step.nodes(lab)}
    seen = step.seen(lab) if _there(lab) else {}
    return StepDetails(
        _row(lab, step),
        files=_written(works),
        units=tuple(dict.fromkeys(unit for work in works.values() for unit in work.units)),
        checks=tuple((node, work.well, seen.get(node, False)) for node, work in works.items()),
    )


def _written(works: Mapping[str, Work]) -> tuple[WrittenFile, ...]:
    nodes: dict[str, list[str]] = {}
    for node, work in works.items():
        for file in work.files:
            nodes.setdefault(file.path, []).append(node)
    return tuple(WrittenFile(path, tuple(names)) for path, names in nodes.items())


def _open(folder: LabFolder) -> Lab:
    refuse_during_exercise(folder, "say which step's work is broken")
    return Lab.open(folder, SilentProgress())


def _row(lab: Lab, step: NamedStep) -> StepRow:
    done = _there(lab) and _state(lab, step) is State.DONE
    return StepRow(step.key, step.name, State.DONE if done else State.TO_DO)


def _there(lab: Lab) -> bool:
    """Whether there are nodes to ask."""
    return lab.site.running and bool(lab.record.box_digest)


def _state(lab: Lab, step: NamedStep) -> State:
    """One that cannot be asked, as the nodes or the API do not answer, is not done."""
    try:
        return State.DONE if step.done(lab) else State.TO_DO
    except LabError:
        return State.TO_DO
