"""What a network mode is: data, and one function that arranges it for a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from lab.cluster.api import Manifest
from lab.cluster.objects import Workload
from lab.foundation.errors import LabError, WrongUseError
from lab.modes.cni import has_host_ports
from lab.nodes.files import NodeFile
from lab.supply.software import image_name
from lab.topology.mode_choice import OptionValue
from lab.topology.models import KubeProxy, PolicyEnforcer
from lab.topology.plan import Plan

CNI_FOLDER = "/etc/cni/net.d"
NIC = "NIC"
"""In place of a device's name: the NIC that pods' packets take, which each node may call differently."""


@dataclass(frozen=True)
class ModeOption:
    """A word that a topology may write under `mode_options`, and what it is when left out."""

    name: str
    default: OptionValue
    meaning: str


@dataclass(frozen=True)
class NodeSetup:
    """What a mode puts on one node.

    `before` (bash) must end well before the mode's objects are applied. Then `files` are written and `start`
    (bash) is run; and when `ready` (bash) ends well, the CNI configuration is written: a node is Ready only
    when its pods really get a network.
    """

    cni: NodeFile
    files: tuple[NodeFile, ...] = ()
    before: str = ""
    start: str = ""
    ready: str = ""


@dataclass(frozen=True)
class ServingCertificate:
    """A Secret with a certificate of the cluster's authority, for a server that the API server asks."""

    namespace: str
    secret: str
    dns_name: str


@dataclass(frozen=True)
class ModeSetup:
    """A mode arranged for one plan."""

    nodes: Mapping[str, NodeSetup]
    """By node name, one for each node of the plan."""
    manifests: tuple[Manifest, ...] = ()
    workloads: tuple[Workload, ...] = ()
    """What must be ready for the mode to work, the cluster's own included."""
    wait_for_labels: tuple[Workload, ...] = ()
    """Those of them that no node can take before the topology's labels are on the nodes."""
    certificates: tuple[ServingCertificate, ...] = ()

    @property
    def host_ports(self) -> bool:
        """Whether pods get their `hostPort`."""
        return all(has_host_ports(node.cni.content) for node in self.nodes.values())


@dataclass(frozen=True)
class Images:
    """References of the images that nodes have: the box's, and those brought for the mode."""

    references: tuple[str, ...]

    def named(self, name: str) -> str:
        """The reference of the image with that last path component. Raises LabError when there is none."""
        for reference in self.references:
            if image_name(reference) == name:
                return reference
        raise LabError(
            f"the box has no image {name}",
            details=f"it has {', '.join(self.references) or 'none'}",
            resolution="choose a mode or a version of Kubernetes whose images the supply has",
        )

    def lacking(self, names: Sequence[str]) -> Mapping[str, str]:
        """Those of the images that are not there, and why."""
        known = {image_name(reference) for reference in self.references}
        return {name: f"its box has no image {name}" for name in names if name not in known}


@dataclass(frozen=True)
class PacketPath:
    """The way of a packet from a pod to one on another node, as a picture shows it."""

    devices: tuple[str, ...]
    """From the pod's own to the NIC; on the other node it passes the same ones the other way round."""
    wire: str
    """What it is between the NICs."""
    pods: str = "pod"
    """Which pods, where the mode has several kinds."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """By which it knows them."""


@dataclass(frozen=True)
class Encapsulation:
    """What goes around a pod's packet between two nodes, and the device that puts it there."""

    protocol: Literal["udp", "ipip"]
    device: str
    """Its name; NIC in it stands for the name of the node's NIC below it."""
    port: int | None = None
    """UDP port; None for IP in IP."""

    def device_over(self, nic: str) -> str:
        """The device's name on a node whose NIC below it has that name."""
        return self.device.replace(NIC, nic)

    @property
    def iptables(self) -> str:
        """The match that iptables knows such packets by."""
        return f"-p udp --dport {self.port}" if self.protocol == "udp" else "-p 4"


class NicSetting(StrEnum):
    """Where a mode names the NIC that pods' packets take."""

    DAEMON = "the option --iface of its daemon"
    CNI = "master in its CNI configuration"


@dataclass(frozen=True)
class Mode:
    """One way of wiring pods."""

    name: str
    summary: str
    arrange: Callable[[Plan, Images], ModeSetup]
    options: tuple[ModeOption, ...] = ()
    needs_underlay: bool = False
    images: tuple[str, ...] = ()
    """Names of the images that it needs beside those of every cluster."""
    problems: Callable[[Plan], Sequence[str]] = lambda plan: ()
    """What else a plan lacks for it, one line each; asked when the rest is right."""
    needs_services: bool = False
    """Its own programs reach the API by its ClusterIP."""
    needs_pod_blocks: bool = False
    """It is arranged for a plan that tells each node's block of the pod CIDR."""
    paths: tuple[PacketPath, ...] = ()
    variants: tuple[Mapping[str, OptionValue], ...] = ()
    """Options beside the defaults with which the mode shows something of its own."""
    daemon: Workload | None = None
    """Its own program on every node, where it has one."""
    encapsulation: Encapsulation | None = None
    """None where pods' packets go between nodes as they are."""
    nic_setting: NicSetting | None = None
    enforces_policies: bool = False
    """Its own program drops what a NetworkPolicy forbids."""
    network_kinds: tuple[str, ...] = ()
    """Kinds of its objects that say which addresses pods get, which users may make themselves."""
    unseen_by_nodes: str = ""
    """Which of its pods' packets do not pass their node's chain POSTROUTING, where an enforcer sees them."""
    after_leap: str = ""
    """Bash for every node when its clock has leapt ahead by more than an hour. Its program's timers do not
    see that. Run by the guest agent, where starting a process may take a second."""
    routes_stay_away: bool = False
    """Nodes have routes to pods that nothing puts back when they are taken away."""

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
        if self.needs_services and plan.kubernetes.kube_proxy is KubeProxy.NONE:
            problems.append("its programs reach the API by its ClusterIP, and there is no kube-proxy")
        if plan.kubernetes.policy is not PolicyEnforcer.NONE:
            problems += self._enforcer_problems(plan.kubernetes.policy)
        problems = problems or list(self.problems(plan))
        if problems:
            raise WrongUseError(
                f"the mode {self.name} cannot run in the topology {plan.topology}",
                details="\n".join(problems),
                resolution="correct the topology, or choose another mode with --mode",
            )

    def _enforcer_problems(self, enforcer: PolicyEnforcer) -> list[str]:
        if self.enforces_policies:
            return [f"it enforces network policies itself: {enforcer} would do it a second time"]
        if self.unseen_by_nodes:
            return [f"{enforcer} does not see {self.unseen_by_nodes}"]
        return []

    def refuse_without(self, lacking: Mapping[str, str]) -> None:
        """Raises WrongUseError when images that the mode needs cannot be had, with the reasons given."""
        if lacking:
            raise WrongUseError(
                f"the mode {self.name} cannot run: images that it needs are missing",
                details="\n".join(lacking.values()),
                resolution="choose another mode with --mode, or another version of Kubernetes",
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
