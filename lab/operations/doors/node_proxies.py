"""The proxies of this host on the nodes of a lab whose door out is open."""

from __future__ import annotations

from dataclasses import dataclass

from lab.doors.proxies import NO_PROXIES, Proxies, are_offered, offered, withdrawn
from lab.foundation.progress import StepContext
from lab.operations.context import Lab
from lab.operations.doors.telling_nodes import all_nodes_say_yes, runtime_of, tell_nodes, wait_for_nodes


@dataclass(frozen=True)
class NodeProxies:
    """What fetches for nodes uses those that the door lets them reach; after a return to a snapshot again."""

    name = "proxies of this host on the nodes"

    def done(self, lab: Lab) -> bool:
        proxies = proxies_of_the_door(lab)
        if not proxies:
            return True
        wait_for_nodes(lab)
        asked = are_offered(proxies, runtime_of(lab))
        return all_nodes_say_yes(lab, asked, "look whether it uses the proxies of this host")

    def run(self, lab: Lab, at: StepContext) -> None:
        at.doing("container runtime and apt of the nodes")
        tell_nodes(lab, offered(proxies_of_the_door(lab), runtime_of(lab)), "use the proxies of this host")


def withdraw_proxies(lab: Lab, before: Proxies) -> None:
    """Nodes that were offered some before use none any more; machines that are off stay as they are."""
    if before and lab.all_running:
        tell_nodes(lab, withdrawn(runtime_of(lab)), "use no proxy")


def proxies_of_the_door(lab: Lab) -> Proxies:
    """Those that its nodes are to use; none while it is closed."""
    opening = lab.way_out.opening
    return opening.proxies if opening is not None else NO_PROXIES
