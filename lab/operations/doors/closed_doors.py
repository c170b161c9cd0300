"""Nodes that came back to an instant at which a door was open which is closed now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lab.doors.proxies import none_are_offered, withdrawn
from lab.foundation.progress import StepContext
from lab.images.through_nodes import through_node
from lab.operations.context import Lab
from lab.operations.doors.node_proxies import proxies_of_the_door
from lab.operations.doors.telling_nodes import all_nodes_say_yes, runtime_of, tell_nodes, wait_for_nodes


@dataclass(frozen=True)
class _Door:
    """One that is closed: bash lines for root of a node."""

    is_forgotten: str
    forget: str
    purpose: str


@dataclass(frozen=True)
class ClosedDoors:
    """Nodes look for no registry and use no proxy that only an open door leads to."""

    name = "closed doors on the nodes"

    def done(self, lab: Lab) -> bool:
        doors = tuple(_closed(lab))
        if not doors:
            return True
        wait_for_nodes(lab)
        asked = " && ".join(door.is_forgotten for door in doors)
        return all_nodes_say_yes(lab, f"{asked}\n", "look whether it knows of a door that is closed")

    def run(self, lab: Lab, at: StepContext) -> None:
        at.doing("container runtime and apt of the nodes")
        for door in _closed(lab):
            tell_nodes(lab, door.forget, door.purpose)


def _closed(lab: Lab) -> Iterator[_Door]:
    runtime = runtime_of(lab)
    if lab.pull_through.opening is None:
        node = through_node(runtime)
        yield _Door(node.is_closed(), node.closed(), "pull images from their registries")
    if not proxies_of_the_door(lab):
        yield _Door(none_are_offered(runtime), withdrawn(runtime), "use no proxy")
