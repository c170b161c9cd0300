"""Pull-through of a lab: opened, closed and looked at."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from lab.doors.through import PullThrough, require_programs
from lab.doors.tied_door import Condition
from lab.foundation.paths import LabFolder
from lab.foundation.progress import Progress, SilentProgress, StepContext
from lab.images.through_nodes import ThroughNode, through_node
from lab.operations.context import Lab
from lab.operations.doors.telling_nodes import all_nodes_say_yes, runtime_of, tell_nodes, wait_for_nodes
from lab.operations.steps import run_steps
from lab.state.records import locked, now
from lab.supply.registry_store import RegistryStore


@dataclass(frozen=True)
class ThroughRow:
    """Pull-through; `state` says whether it is open."""

    state: str
    url: str = ""
    """Where the lab's nodes find its registry."""
    since: str = ""
    """UTC, ISO 8601."""
    broken: str = ""
    """What of it is not there any more."""

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


CLOSED_THROUGH = ThroughRow(Condition.CLOSED)


@dataclass(frozen=True)
class ThroughOpen:
    """The registry of the lab, and all nodes that know of it."""

    if_open: bool = False
    """Whether it only is to be as it was, as after a return to a snapshot, whose nodes know nothing of it."""
    name = "pull-through"

    def done(self, lab: Lab) -> bool:
        through = lab.pull_through
        opening = through.opening
        if opening is None:
            return self.if_open
        wait_for_nodes(lab)
        return through.condition is Condition.OPEN and _all_know(lab, opening.url)

    def run(self, lab: Lab, at: StepContext) -> None:
        through = lab.pull_through
        opening = through.opening if through.condition is Condition.OPEN else None
        if opening is None:
            opening = through.open(lab.plan.uplink.host_address.ip, RegistryStore(), now())
        wait_for_nodes(lab, at.doing)
        at.doing("container runtimes of the nodes")
        tell_nodes(lab, _runtime(lab).opened(opening.url), "pull images through the lab's registry")


def open_through(folder: LabFolder, progress: Progress) -> ThroughRow:
    """Open or mend it; nothing to do when it is open.

    Raises LabError when a program is not installed, or not all nodes run.
    """
    require_programs()
    with locked(folder):
        lab = Lab.open(folder, progress)
        lab.require_up()
        run_steps(lab, (ThroughOpen(),))
        return through_row(lab.pull_through)


def close_through(folder: LabFolder) -> bool:
    """Close it, and remove whatever is left of it; whether it was open."""
    with locked(folder):
        lab = Lab.open(folder, SilentProgress())
        through = lab.pull_through
        was_open = through.opening is not None
        through.close()
        if was_open and lab.all_running:
            tell_nodes(lab, _runtime(lab).closed(), "pull images from their registries")
        return was_open


def through_status(folder: LabFolder) -> ThroughRow:
    return through_row(Lab.open(folder, SilentProgress()).pull_through)


def through_row(through: PullThrough) -> ThroughRow:
    opening = through.opening
    if opening is None:
        return CLOSED_THROUGH
    return ThroughRow(through.condition, opening.url, opening.since, through.broken)


def _all_know(lab: Lab, url: str) -> bool:
    asked = _runtime(lab).is_open(url)
    return all_nodes_say_yes(lab, asked, "look whether images are pulled through the lab's registry")


def _runtime(lab: Lab) -> ThroughNode:
    return through_node(runtime_of(lab))
