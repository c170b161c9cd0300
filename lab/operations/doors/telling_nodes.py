"""Telling all nodes of a door, and asking them whether they know of it."""

from __future__ import annotations

from collections.abc import Callable

from lab.foundation.wait import Deadline
from lab.nodes.connection import Script
from lab.operations.context import Lab
from lab.topology.models import Runtime

ANSWER_LIMIT = 180.0
"""Seconds until every node has let somebody in: restored a moment ago, on a busy host, they take long."""


def wait_for_nodes(lab: Lab, on_wait: Callable[[str], None] | None = None) -> None:
    """Raises TimedOutError when one of them lets nobody in."""
    lab.nodes.wait_until_answer(Deadline(ANSWER_LIMIT), on_wait)


def tell_nodes(lab: Lab, lines: str, purpose: str) -> None:
    """Run these lines of bash on every node. Raises LabError when they fail on one."""
    script = Script(lines, purpose)
    lab.nodes.on_each(lab.plan.nodes, lambda node: lab.nodes[node.name].run(script))


def all_nodes_say_yes(lab: Lab, lines: str, purpose: str) -> bool:
    """Whether these lines of bash end with status 0 on every node."""
    script = Script(lines, purpose)
    said = lab.nodes.on_each(lab.plan.nodes, lambda node: lab.nodes[node.name].run(script, check=False))
    return all(result.status == 0 for result in said.values())


def runtime_of(lab: Lab) -> Runtime:
    return Runtime(lab.record.runtime)
