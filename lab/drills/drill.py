"""What a drill is: data, and two functions that do something to a lab and put it right again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from lab.drills.configured import Configured
from lab.drills.observation import Row
from lab.machines.machines import Machines
from lab.nodes.connection import Script
from lab.nodes.pool import Nodes
from lab.topology.models import LoadBalancer
from lab.topology.plan import NodePlan, Plan

SCRIPT_SECONDS = 120.0


class Mark(StrEnum):
    """An instant by which writes are judged."""

    BACKUP_BEGINS = "the backup begins"
    BACKUP_ENDS = "the backup is there"


@dataclass(frozen=True)
class Ground:
    """The lab that a drill is run on."""

    plan: Plan
    nodes: Nodes
    machines: Machines
    move_leader: Callable[[str, str], None]
    """From the member of etcd on one node to that on another."""
    mark: Callable[[Mark], None]
    """Keep when something was done that writes are judged by."""
    rest: Callable[[float], None]
    """Let so many seconds pass in which the client goes on writing."""

    def run(self, node: NodePlan, script: str, what: str) -> str:
        """Run bash on a node to its good end and return what it printed. Raises LabError."""
        done = self.nodes[node.name].run(Script(script, f"{what} on {node.name}"), timeout=SCRIPT_SECONDS)
        return done.stdout.strip()


@dataclass(frozen=True)
class Before:
    """Who has which part, when all is well."""

    plan: Plan
    holder: str
    """The node with the API's address."""
    leader: str
    """The node with etcd's leader."""

    def node(self, name: str) -> NodePlan:
        return next(node for node in self.plan.control_planes if node.name == name)

    def others(self, *names: str) -> tuple[NodePlan, ...]:
        """The control planes that are not among those."""
        return tuple(node for node in self.plan.control_planes if node.name not in names)


class Course(StrEnum):
    """What is to follow from what is done."""

    RECOVERS = "the cluster recovers by itself"
    STAYS_OUT = "no write is taken until it is put right"
    GOES_BACK = "all is as it was at the backup once it is put right"


Aim = Callable[[Before], tuple[NodePlan, ...]]
Act = Callable[[Ground, tuple[NodePlan, ...]], None]
Shows = Callable[[Row, Before, tuple[NodePlan, ...]], bool]


@dataclass(frozen=True)
class Drill:
    """Something that happens to control planes.

    `injure` and `heal` may be run again at any time.
    """

    name: str
    summary: str
    aim: Aim
    """Whom it hits, from who has which part."""
    injure: Act
    heal: Act
    shows: Shows
    """Whether a row shows that it happened: a drill of which none does is not passed."""
    detection: Callable[[Configured], float]
    """Seconds after which all who must know know of it, at most."""
    course: Course = Course.RECOVERS
    takes_nodes: bool = False
    """Whether the nodes that it hits are gone, with all that is on them."""
    splits: bool = False
    """Whether several may have the API's address until it is put right."""

    def unfit(self, plan: Plan) -> str:
        """Why it cannot be run on this topology; empty when it can."""
        if plan.load_balancer is None:
            return "the topology has one control plane"
        if plan.load_balancer is not LoadBalancer.KEEPALIVED_HAPROXY:
            return f"with {plan.load_balancer} the API has no address by which it is found from outside"
        return ""


def nothing(ground: Ground, nodes: tuple[NodePlan, ...]) -> None:
    """Where there is nothing to put right."""
