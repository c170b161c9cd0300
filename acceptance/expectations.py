"""What must be seen in each mode: data files of the suite's own, one per mode."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from acceptance.problems import SuiteError

FOLDER = Path(__file__).parent / "expectations"
IN_ALL_MODES = Path(__file__).parent / "in_all_modes.yaml"
"""Variants that are the same in every mode; those of a mode's own file are laid over them."""
UNKNOWN = "unknown"
"""In place of a mode's name: nothing is known of the pod network, and nothing is judged."""


class Way(StrEnum):
    """A kind of cell of the reachability matrix: who asks whom."""

    POD_TO_POD_SAME_NODE = "pod-to-pod-same-node"
    POD_TO_POD_OTHER_NODE = "pod-to-pod-other-node"
    POD_TO_OWN_NODE = "pod-to-own-node"
    POD_TO_OTHER_NODE = "pod-to-other-node"
    POD_TO_LAN_HOST = "pod-to-lan-host"
    POD_TO_UPLINK = "pod-to-uplink"
    NODE_TO_OWN_POD = "node-to-own-pod"
    NODE_TO_OTHER_POD = "node-to-other-pod"
    NODE_TO_NODE = "node-to-node"
    NODE_TO_LAN_HOST = "node-to-lan-host"
    LAN_HOST_TO_NODE = "lan-host-to-node"
    LAN_HOST_TO_POD = "lan-host-to-pod"


class ServiceWay(StrEnum):
    """A way to a Service: who asks, and where the pod behind it runs."""

    POD_TO_CLUSTERIP_HERE = "pod-to-clusterip-backend-here"
    POD_TO_CLUSTERIP_ELSEWHERE = "pod-to-clusterip-backend-elsewhere"
    NODE_TO_CLUSTERIP_HERE = "node-to-clusterip-backend-here"
    NODE_TO_CLUSTERIP_ELSEWHERE = "node-to-clusterip-backend-elsewhere"
    LAN_HOST_TO_NODEPORT_HERE = "lan-host-to-nodeport-backend-here"
    LAN_HOST_TO_NODEPORT_ELSEWHERE = "lan-host-to-nodeport-backend-elsewhere"
    LAN_HOST_TO_HOSTPORT = "lan-host-to-hostport"
    """The port of a node that a pod on it asks for, without any Service."""
    POD_TO_API = "pod-to-api"
    NODE_TO_API = "node-to-api"
    DNS = "dns"
    HEADLESS = "headless"


class Source(StrEnum):
    """Whose address the target sees."""

    POD = "pod"
    NODE = "node"
    """Any address of the sender's node."""
    NODE_UNDERLAY = "node-underlay"
    LAN_HOST = "lan-host"


class FrameKind(StrEnum):
    """A kind of frame that may pass the NIC on the underlay. A frame of none of these is never right."""

    PODS = "pods"
    """A pod's own packet, with nothing around it, in a group whose packets are not wrapped."""
    PODS_WRAPPED = "pods-wrapped"
    """A pod's packet between two nodes, in what the mode puts around it."""
    PODS_ARP = "pods-arp"
    """ARP from or for a pod, in a group whose packets are not wrapped."""
    PODS_ARP_WRAPPED = "pods-arp-wrapped"
    HOSTS_ARP_WRAPPED = "hosts-arp-wrapped"
    """ARP in the tunnel, from and for nodes and pods whose own packets are not wrapped."""
    SERVICES = "services"
    """A packet to or from the ClusterIP of a Service, which no node has rewritten."""
    ARP = "arp"
    """ARP of nodes and others that are no pods."""
    BGP = "bgp"
    NODE_TCP = "node-tcp"
    """TCP from or to a node, with no pod at the other end; BGP is a kind of its own."""
    NODE_UDP = "node-udp"
    """DNS, DHCP, NTP and the suite's own questions, from or to a node, with no pod at the other end."""
    NODE_ICMP = "node-icmp"
    MULTICAST = "multicast"
    """IPv4 to many, from no pod: IGMP, mDNS."""
    IPV6_ND = "ipv6-nd"
    """Neighbours and routers look for each other."""
    IPV6_MLD = "ipv6-mld"
    """Who listens to which multicast group."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reach(_Entry):
    """Whether an answer must come, and which source address the target must see."""

    answers: bool
    source: Source | None = None
    because: str = ""

    @model_validator(mode="after")
    def _source_belongs_to_an_answer(self) -> Reach:
        if self.answers and self.source is None:
            raise ValueError("an answer needs a source: pod, node, node-underlay or lan-host")
        if not self.answers and self.source is not None:
            raise ValueError("no answer, so no source can be seen")
        return self


class ServiceReach(_Entry):
    answers: bool
    because: str = ""


class PodLink(_Entry):
    """The device a pod has: its kind, and for macvlan and ipvlan the network of the NIC below it."""

    kind: str
    over: str | None = None


class Pods(_Entry):
    addresses: Literal["node-block", "calico-block", "pod-cidr", "underlay-share", "underlay-range"]
    """Where they come from: the node's block of the pod CIDR, which Kubernetes gave it or which calico did as
    it was needed, the whole pod CIDR, the node's share of the underlay's pod range, or the whole range."""
    block_prefix: int | None = None
    mtu: int
    link: PodLink
    annotations: dict[str, str] = {}
    """What a pod must carry to become one of these."""


class Device(_Entry):
    """A device every node must have."""

    name: str
    """`{ROLE}` in it stands for the name of the node's NIC on the network with that role."""
    owner: str
    """Who makes it, for messages: flannel."""
    kind: str
    mtu: int | None = None
    over: str | None = None
    """Role of the network whose NIC must lie below it."""
    vni: int | None = None
    port: int | None = None


class RouteVia(_Entry):
    """The device a node's route to a pod must use; exactly one of `device`, `nic`, `kind`."""

    device: str | None = None
    """Its name; `{ROLE}` as in the name of a Device."""
    nic: str | None = None
    """Role of the network whose NIC it is."""
    kind: str | None = None
    over: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> RouteVia:
        if sum(value is not None for value in (self.device, self.nic, self.kind)) != 1:
            raise ValueError("exactly one of device, nic, kind says which device the route uses")
        return self


class Routes(_Entry):
    own_pod: RouteVia
    other_pod: RouteVia


class RoutingTable(_Entry):
    """A routing table of the node that a rule must lead to, and who makes it."""

    number: int
    owner: str


class Annotation(_Entry):
    """An annotation of the node that must be its address on the network with that role."""

    owner: str
    address_on: str


class Daemon(_Entry):
    """The mode's own program on every node: who makes it, and the names that its process may have."""

    owner: str
    processes: tuple[str, ...]


class DataPath(_Entry):
    node_device: str | None = None
    """The device with the node's underlay address, where that is not the NIC itself."""
    devices: tuple[Device, ...]
    absent: tuple[str, ...]
    """Name patterns of devices that belong to other modes."""
    routes: Routes
    annotations: dict[str, Annotation]
    bgp: bool = False
    """Every node must have a BGP session with every other one, on the underlay."""
    tables: tuple[RoutingTable, ...] = ()
    proxy_arp: RouteVia | None = None
    """The device on which the node must answer ARP for its own pods."""
    daemon: Daemon | None = None


class Wrapping(_Entry):
    """What goes around a packet between two nodes."""

    protocol: Literal["vxlan", "udp", "ipip"]
    """udp: UDP with nothing between it and the packet."""
    port: int | None = None
    bytes: int
    """How much longer it makes the packet."""


class Wire(_Entry):
    """How a packet from pod to pod looks on the underlay, between their nodes."""

    wrapped: Wrapping | None = None
    """None: the pods' addresses are the packet's own."""
    macs: Literal["node", "pod"]
    """Whose MAC addresses the frame has: those of the nodes' NICs, or the pods' own."""
    nic: Literal["underlay", "route"] = "underlay"
    """Where it is looked for: on the NIC on the underlay, or where the node's routes to the pods lead."""
    allowed: frozenset[FrameKind]
    """What may pass the NIC while the pods ping each other; with several groups, what any of them names."""


class Expectations(_Entry):
    """All that must be seen in one mode.

    A mode may have several groups of pods, such as overlay and underlay. Then this is what must be seen of
    the first group, of nodes and of the LAN host; `further` says the same for the other groups.
    """

    mode: str
    group: str = ""
    """The name of this group of pods; empty where the mode has only one."""
    kind: Literal["overlay", "underlay", "direct-routing"]
    pods: Pods
    ready: bool
    """Whether kubelet can reach the pods of its own node."""
    data_path: DataPath
    wire: Wire | None = None
    reach: dict[Way, Reach]
    lan_route: Reach | None = None
    """The LAN host to a pod, once it has a route to every node's block by way of that node."""
    services: dict[ServiceWay, ServiceReach]
    policies: Literal["enforced", "not-enforced", "unasked"] = "unasked"
    """Whether anybody drops what a NetworkPolicy forbids."""
    further: tuple[Expectations, ...] = ()

    @property
    def groups(self) -> tuple[Expectations, ...]:
        """What must be seen of each group of pods."""
        return (self, *self.further)

    def of(self, group: str) -> Expectations:
        """What must be seen of that group of pods; the first, where it is of no group, as nodes are."""
        return next((each for each in self.further if each.group == group), self)

    @model_validator(mode="after")
    def _complete(self) -> Expectations:
        missing = [way.value for way in Way if way not in self.reach]
        missing += [way.value for way in ServiceWay if way not in self.services]
        if missing:
            raise ValueError(f"nothing is said about {', '.join(missing)}")
        return self


class _Variant(_Entry):
    when: dict[str, bool | int | str] = Field(min_length=1)
    replace: dict[str, Any]


class _Group(_Entry):
    group: str = Field(min_length=1)
    replace: dict[str, Any]


def load_expectations(
    mode: str, conditions: Mapping[str, bool | int | str], folder: Path = FOLDER
) -> Expectations:
    """The expectations for `mode`: its file, with every variant that fits the `conditions` laid over it.

    They are the mode's options, and how kube-proxy works.

    Each entry of `further_groups` in the file is another group of pods: what it replaces is laid over the
    rest.

    Raises SuiteError when there is no file for the mode or it is not right.
    """
    if mode == UNKNOWN:
        return read_expectations(Path(__file__).parent / "unknown.yaml", {})
    file = folder / f"{mode}.yaml"
    if not file.exists():
        known = ", ".join(sorted(found.stem for found in folder.glob("*.yaml"))) or "none"
        raise SuiteError(
            f"the suite has no expectations for mode {mode}: it knows {known}."
            f" Write {file} before this mode is judged, name a file of your own with --expect,"
            f" or find out what is there with --mode {UNKNOWN}"
        )
    return read_expectations(file, conditions)


def read_expectations(file: Path, conditions: Mapping[str, bool | int | str]) -> Expectations:
    """The same from that file. Raises SuiteError when it cannot be read or is not right."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        common = yaml.safe_load(IN_ALL_MODES.read_text(encoding="utf-8"))["variants"]
        own = content.pop("variants", [])
        variants = [_Variant.model_validate(variant) for variant in (*common, *own)]
        for variant in variants:
            if all(conditions.get(name) == value for name, value in variant.when.items()):
                content = _laid_over(content, variant.replace)
        groups = [_Group.model_validate(group) for group in content.pop("further_groups", [])]
        further = [_laid_over(content, {**group.replace, "group": group.group}) for group in groups]
        return Expectations.model_validate({**content, "further": further})
    except OSError as error:
        raise SuiteError(f"{file} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, TypeError) as error:
        raise SuiteError(f"{file} is not a YAML mapping: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, found['loc'])) or 'the file'}: {found['msg']}" for found in error.errors()
        )
        raise SuiteError(f"{file} is not right: {wrong}") from error


_ROUTE = {"device", "nic", "kind", "over"}


def _laid_over(base: Any, change: Any) -> Any:
    """`change` over `base`; cells and routes are replaced whole, or a silent cell would keep a source."""
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    if "answers" in change or set(change) <= _ROUTE:
        return change
    return {**base, **{key: _laid_over(base.get(key), value) for key, value in change.items()}}
