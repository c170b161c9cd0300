"""Modes without a daemon: a CNI configuration and a program on every node, and nothing in the cluster."""

from __future__ import annotations

from collections.abc import Callable

from lab.cluster.readiness import COREDNS, KUBE_PROXY
from lab.modes.boot import BootProgram
from lab.modes.mode import Images, ModeSetup, NodeSetup
from lab.nodes.files import NodeFile
from lab.topology.plan import NodePlan, Plan


def on_every_node(set_up: Callable[[Plan, NodePlan], NodeSetup]) -> Callable[[Plan, Images], ModeSetup]:
    """A mode's `arrange` that is only what `set_up` says for each node."""

    def arrange(plan: Plan, images: Images) -> ModeSetup:
        return ModeSetup(
            nodes={node.name: set_up(plan, node) for node in plan.nodes}, workloads=(KUBE_PROXY, COREDNS)
        )

    return arrange


def with_program(cni: NodeFile, program: BootProgram) -> NodeSetup:
    """The CNI configuration, once the program has run."""
    return NodeSetup(cni, files=program.files, start=program.start)
