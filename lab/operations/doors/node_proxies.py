"""The proxies of this host on the nodes of a lab whose door out is open."""

from __future__ import annotations

from dataclasses import dataclass

from lab.doors.proxies import NO_PROXIES, Proxies, are_offered, offered, withdrawn
from lab.foundation.progress import StepContext
from lab.foundation.wait import Deadline
from lab.nodes.connection import Script
from lab.operations.context import Lab
from lab.topology.models import Runtime

ANSWER_LIMIT = 180.0
"""Seconds until every node has let somebody in."""


@dataclass(frozen=True)
class NodeProxies:
    """What fetches for nodes uses those that the door lets them reach; after a return to a snapshot again."""

    name = "proxies of this host on the nodes"

    def done(self, lab: Lab) -> bool:
        proxies = _of_the_door(lab)
        if not proxies:
            return True
        lab.nodes.wait_until_answer(Deadline(ANSWER_LIMIT))
        script = Script(are_offered(proxies, _runtime(lab)), "look whether it uses the proxies of this host")
        said = lab.nodes.on_each(lab.plan.nodes, lambda node: lab.nodes[node.name].run(script, check=False))
        return all(result.status == 0 for result in said.values())

    def run(self, lab: Lab, at: StepContext) -> None:
        at.doing("container runtime and apt of the nodes")
        script = Script(offered(_of_the_door(lab), _runtime(lab)), "use the proxies of this host")
        lab.nodes.on_each(lab.plan.nodes, lambda node: lab.nodes[node.name].run(script))


def withdraw_proxies(lab: Lab, before: Proxies) -> None:
    """Nodes that were offered some before use none any more; machines that are off stay as they are."""
    if before and lab.all_running:
        script = Script(withdrawn(_runtime(lab)), "use no proxy")
        lab.nodes.on_each(lab.plan.nodes, lambda node: lab.nodes[node.name].run(script))


def _of_the_door(lab: Lab) -> Proxies:
    opening = lab.way_out.opening
    return opening.proxies if opening is not None else NO_PROXIES


def _runtime(lab: Lab) -> Runtime:
    return Runtime(lab.record.runtime)
