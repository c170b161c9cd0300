"""What a fault is: data, and two functions that put it into a lab and take it out again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from lab.cluster.api import ClusterApi
from lab.cluster.objects import PodState, Workload
from lab.cluster.secrets import ClusterSecrets
from lab.foundation.wait import Deadline, wait_for
from lab.host import site as host_site
from lab.machines.machines import Machines
from lab.modes.mode import Mode
from lab.nodes.connection import Command, NodeConnection, Script
from lab.nodes.pool import Nodes
from lab.topology.models import NodeRole, Tuning
from lab.topology.plan import NetworkPlan, NodePlan, Plan

SETTLE_SECONDS = 300.0
"""How long a fault, or its undoing, may take to have its effect; emulation takes its time."""

Before = Mapping[str, str]
"""What was there before the fault, by names of the fault's own."""


class Scope(StrEnum):
    """What a fault is in."""

    NODE = "one node"
    CLUSTER = "the cluster"
    LAN = "the LAN"
    """Outside of all nodes: it is still there when their machines go back to a snapshot."""


@dataclass(frozen=True)
class Site:
    """The lab that a fault is put into."""

    plan: Plan
    mode: Mode
    nodes: Nodes
    api: ClusterApi
    machines: Machines
    enclosure: host_site.Site
    secrets: ClusterSecrets
    tuning: Tuning
    """Of the cluster, never `auto`."""
    say: Callable[[str], None]
    """Told what is waited for."""

    @property
    def underlay(self) -> NetworkPlan:
        assert self.plan.underlay is not None, "Fault.unfit comes first"
        return self.plan.underlay

    def on(self, node: NodePlan) -> NodeConnection:
        return self.nodes[node.name]

    def run(self, node: NodePlan, script: str, what: str) -> str:
        """Run bash on a node to its good end and return what it printed. Raises LabError."""
        return self.on(node).run(Script(script, what)).stdout.strip()

    def succeeds(self, node: NodePlan, *words: str) -> bool:
        """Whether the command ends well on the node."""
        return self.on(node).run(Command(words), check=False).status == 0

    def wait(self, condition: Callable[[], None], what: str) -> None:
        """Wait until the condition raises NotYetError no more. Raises TimedOutError with its last reason."""
        wait_for(condition, what=what, deadline=Deadline(SETTLE_SECONDS), on_wait=self.say)


def peer_of(node: NodePlan, plan: Plan) -> NodePlan | None:
    """The other end of a fault between two nodes: the first other worker, or else the first other node."""
    others = [other for other in (*plan.workers, *plan.nodes) if other.name != node.name]
    return others[0] if others else None


def fits_every_mode(plan: Plan, mode: Mode) -> str:
    return ""


def needs_lan_host(plan: Plan, mode: Mode) -> str:
    """For faults on the LAN: somebody must be there to see them."""
    if plan.underlay is None or plan.underlay.lan_host is None:
        return "the topology has no underlay with a LAN host"
    return ""


def nothing_before(site: Site, node: NodePlan) -> Before:
    return {}


@dataclass(frozen=True)
class Fault:
    """A known mistake.

    `inject` and `clear` may be run again at any time, also after one of them was ended in the middle; both
    return when the effect is there, or is gone. `remember` is asked before anything is changed; what it says
    is handed to both.
    """

    name: str
    summary: str
    """What is wrong then, in a few words that go after "lab fault inject NAME: "."""
    inject: Callable[[Site, NodePlan, Before], None]
    clear: Callable[[Site, NodePlan, Before], None]
    remember: Callable[[Site, NodePlan], Before] = nothing_before
    unfit: Callable[[Plan, Mode], str] = fits_every_mode
    """Why it means nothing in this mode and topology; empty when it does."""
    scope: Scope = Scope.NODE
    only: NodeRole | None = None
    """The nodes that can have it; None for all."""


def pods_on(site: Site, workload: Workload, node: NodePlan) -> list[PodState]:
    """The workload's pods on the node."""
    pods = site.api.pods(workload.namespace)
    return [pod for pod in pods if workload.owns(pod.name) and pod.node == node.name]


def daemon_pods(site: Site, workload: Workload, node: NodePlan) -> list[str]:
    """The names of the workload's pods on the node that are ready."""
    return [pod.name for pod in pods_on(site, workload, node) if pod.ready]
