"""What a network mode is: data, and one function that arranges it for a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lab.cluster.api import Manifest
from lab.cluster.objects import Workload
from lab.foundation.errors import WrongUseError
from lab.nodes.files import NodeFile
from lab.topology.plan import Plan

OptionValue = bool | int | str

CNI_FOLDER = "/etc/cni/net.d"


@dataclass(frozen=True)
class ModeOption:
    """A word that a topology may write under `mode_options`, and what it is when left out."""

    name: str
    default: OptionValue
    meaning: str


@dataclass(frozen=True)
class NodeSetup:
    """What a mode puts on one node.

    `files` are written and `start` (bash) is run first; then, when `ready` (bash) ends well, the CNI
    configuration is written: a node is Ready only when its pods really get a network.
    """

    cni: NodeFile
    files: tuple[NodeFile, ...] = ()
    start: str = ""
    ready: str = ""


@dataclass(frozen=True)
class ModeSetup:
    """A mode arranged for one plan."""

    nodes: Mapping[str, NodeSetup]
    """By node name, one for each node of the plan."""
    manifests: tuple[Manifest, ...] = ()
    workloads: tuple[Workload, ...] = ()
    """What must be ready for the mode to work, the cluster's own included."""


@dataclass(frozen=True)
class Images:
    """References of the images that the box holds."""

    references: tuple[str, ...]

    def named(self, name: str) -> str:
        """The reference of the image with that last path component. Raises KeyError when there is none."""
        for reference in self.references:
            if reference.rpartition("/")[2].partition(":")[0] == name:
                return reference
        raise KeyError(name)


@dataclass(frozen=True)
class Mode:
    """One way of wiring pods."""

    name: str
    summary: str
    arrange: Callable[[Plan, Images], ModeSetup]
    options: tuple[ModeOption, ...] = ()
    needs_underlay: bool = False

    def check(self, plan: Plan) -> None:
        """Raises WrongUseError when the plan lacks what the mode needs, or has options it does not know."""
        problems = []
        known = {option.name: option for option in self.options}
        for name, value in plan.mode_options.items():
            if name not in known:
                problems.append(f"it has no option {name} (it has: {', '.join(known) or 'none'})")
            elif type(value) is not type(known[name].default):
                problems.append(
                    f"its option {name} is {value!r}, expected {type(known[name].default).__name__}"
                )
        if self.needs_underlay:
            problems += _underlay_problems(plan)
        if problems:
            raise WrongUseError(
                f"the mode {self.name} cannot run in the topology {plan.topology}",
                details="\n".join(problems),
                resolution="correct the topology, or choose another mode with --mode",
            )

    def option(self, plan: Plan, name: str) -> OptionValue:
        """The option's value in this plan, or its default."""
        default = next(option.default for option in self.options if option.name == name)
        return plan.mode_options.get(name, default)


def _underlay_problems(plan: Plan) -> list[str]:
    underlay = plan.underlay
    if underlay is None:
        return ["it needs a network with the role underlay, there is none"]
    problems = [
        f"node {node.name} has no NIC on {underlay.name}"
        for node in plan.nodes
        if not any(nic.network == underlay.name for nic in node.nics)
    ]
    if underlay.pod_range is None:
        problems.append(f"the network {underlay.name} has no pod_range for it to take addresses from")
    return problems
