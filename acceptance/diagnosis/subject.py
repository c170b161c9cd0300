"""What a diagnosis is about: one node and all that is known about it; and what it comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address

from acceptance.cluster import ClusterNode, ClusterPod
from acceptance.expectations import Expectations
from acceptance.inventory import Inventory, Node
from acceptance.node_facts import NodeFacts


class Topic(StrEnum):
    """What a finding is about; each has a check of its own for every node."""

    FORWARDING = "forwarding"
    KUBE_PROXY = "kube-proxy"
    DEVICES = "devices"
    OTHER_MODES = "other-modes"
    ROUTES = "routes"
    ANNOTATIONS = "annotations"
    FIREWALL = "firewall"
    REVERSE_PATH = "reverse-path"
    DAEMON = "daemon"
    NICS = "nics"
    QUEUES = "queues"
    LABELS = "labels"
    CLOCK = "clock"
    DISK = "disk"


@dataclass(frozen=True)
class Finding:
    node: str
    topic: Topic
    text: str


@dataclass(frozen=True)
class FreshService:
    """A Service made moments ago: where kube-proxy runs, its ClusterIP is in the rules."""

    name: str
    cluster_ip: IPv4Address


@dataclass(frozen=True)
class PlacedPod:
    """A pod of the suite and where it landed."""

    name: str
    node: str
    address: IPv4Address
    group: str = ""


@dataclass(frozen=True)
class Subject:
    """All that is known about one node when its findings are made."""

    inventory: Inventory
    expectations: Expectations
    node: Node
    facts: NodeFacts
    cluster_node: ClusterNode | None
    system_pods: Sequence[ClusterPod]
    pods: Sequence[PlacedPod]
    service: FreshService | None

    def device_name(self, name: str) -> str:
        """A device's name as the expectations have it, on this node."""
        return self.inventory.device_name(self.node, name)

    def expected_of(self, pod: str) -> Expectations:
        """What must be seen of the pod of that name."""
        group = next((placed.group for placed in self.pods if placed.name == pod), "")
        return self.expectations.of(group)
