"""What a drill is: data, and two functions that do something to a lab and put it right again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from lab.drills.configured import Configured
from lab.drills.judgement import Judgement
from lab.drills.observation import Row
from lab.drills.sources import EACH
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
class Found:
    """What was looked for, and how much was looked at."""

    wrong: Sequence[str]
    looked_at: str


class Works(Protocol):
    """What `lab` can do to a lab as a whole. All raise LabError when it fails."""

    def replace(self, node: NodePlan) -> Found:
        """A new machine in the place of one that is off; who named the old one in between."""
        ...

    def renew(self) -> Found:
        """New certificates everywhere; the ports that still serve what they did."""
        ...

    def let_expire(self, node: NodePlan) -> None:
        """Let the node's API server serve a certificate that has run out when this returns."""
        ...

    def put_back(self, node: NodePlan) -> None:
        """Let it serve one that lasts."""
        ...

    def expired(self) -> Found:
        """What `lab status` says of certificates that have run out."""
        ...


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
    works: Works
    claim: Callable[[Judgement], None]
    """Say what the drill itself has found; it becomes a part of the verdict."""

    def run(self, node: NodePlan, script: str, what: str) -> str:
        """Run bash on a node to its good end and return what it printed. Raises LabError."""
        done = self.nodes[node.name].run(Script(script, f"{what} on {node.name}"), timeout=SCRIPT_SECONDS)
        return done.stdout.strip()


@dataclass(frozen=True)
class Before:
    """Who has which part, when all is well."""

    plan: Plan
    holder: str
    """The node with the API's address; `EACH` where each node finds the API on its own loopback."""
    leader: str
    """The node with etcd's leader."""

    def node(self, name: str) -> NodePlan:
        return next(node for node in self.plan.control_planes if node.name == name)

    @property
    def front(self) -> NodePlan:
        """Who has the API's address, or where nobody has one, etcd's leader."""
        return self.node(self.leader if self.holder == EACH else self.holder)

    def others(self, *names: str) -> tuple[NodePlan, ...]:
        """The control planes that are not among those."""
        return tuple(node for node in self.plan.control_planes if node.name not in names)


class Course(StrEnum):
    """What is to follow from what is done."""

    RECOVERS = "the cluster recovers by itself"
    STAYS_OUT = "no write is taken until it is put right"
    GOES_BACK = "all is as it was at the backup once it is put right"
    LASTS = "it lasts until it is put right"


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
    shows: Shows | None
    """Whether a row shows that it happened: a drill of which none does is not passed.

    None where no row would, and the drill's own claims do.
    """
    detection: Callable[[Configured], float]
    """Seconds after which all who must know know of it, at most."""
    course: Course = Course.RECOVERS
    takes_nodes: bool = False
    """Whether the nodes that it hits are gone, with all that is on them."""
    splits: bool = False
    """Whether several may have the API's address until it is put right."""
    not_with_nginx: str = ""
    """Why it makes no sense with `local-nginx`; empty where it does."""

    def unfit(self, plan: Plan) -> str:
        """Why it cannot be run on this topology; empty when it can."""
        if plan.load_balancer is None:
            return "the topology has one control plane"
        if self.not_with_nginx and plan.load_balancer is LoadBalancer.LOCAL_NGINX:
            return f"with {plan.load_balancer} {self.not_with_nginx}"
        return ""

    def shown_by(self, row: Row, before: Before, nodes: tuple[NodePlan, ...]) -> bool:
        """Whether that row shows that it happened."""
        return self.shows is not None and self.shows(row, before, nodes)


CANNOT_READ = "nobody notices an API server that answers and cannot read, as etcd beside it is away"


def nothing(ground: Ground, nodes: tuple[NodePlan, ...]) -> None:
    """Where there is nothing to put right."""
