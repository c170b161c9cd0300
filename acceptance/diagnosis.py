"""From what nodes and cluster say to the cause of a failure, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatch
from ipaddress import IPv4Address

from acceptance.cluster import ClusterNode, ClusterPod
from acceptance.expectations import Device, Expectations, RouteVia
from acceptance.inventory import Inventory, Node
from acceptance.node_facts import BGP_PORT, Link, NodeFacts
from acceptance.problems import Problem


class Topic(StrEnum):
    """What a finding is about; each has a check of its own for every node."""

    FORWARDING = "forwarding"
    KUBE_PROXY = "kube-proxy"
    DEVICES = "devices"
    OTHER_MODES = "other-modes"
    ROUTES = "routes"
    ANNOTATIONS = "annotations"


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

    def expected_of(self, pod: str) -> Expectations:
        """What must be seen of the pod of that name."""
        group = next((placed.group for placed in self.pods if placed.name == pod), "")
        return self.expectations.of(group)


def findings(subject: Subject) -> tuple[Finding, ...]:
    """Everything that is wrong on one node, by topic."""
    said: Mapping[Topic, Sequence[str]] = {
        Topic.FORWARDING: forwarding(subject.facts),
        Topic.KUBE_PROXY: kube_proxy(subject),
        Topic.DEVICES: devices(subject),
        Topic.OTHER_MODES: other_modes(subject),
        Topic.ROUTES: routes(subject),
        Topic.ANNOTATIONS: node_annotations(subject),
    }
    return tuple(Finding(subject.node.name, topic, text) for topic, texts in said.items() for text in texts)


def forwarding(facts: NodeFacts) -> list[str]:
    said = []
    for firewall in facts.firewalls:
        policy = firewall.policies.get("filter FORWARD")
        if policy == "DROP":
            said.append(
                f"FORWARD policy is DROP on {facts.node} (iptables-{firewall.variant}):"
                f" the node does not pass packets on. `iptables -P FORWARD ACCEPT` there"
            )
        for rule in firewall.rules_of("filter", "FORWARD"):
            words = rule.split()
            if words[3:] in (["-j", "DROP"], ["-j", "REJECT"]) or words[3:5] == ["-j", "REJECT"]:
                said.append(
                    f"a rule drops everything in FORWARD on {facts.node}: {rule.removeprefix('filter ')}"
                )
    if facts.sysctls.get("net.ipv4.ip_forward") == "0":
        said.append(f"net.ipv4.ip_forward is 0 on {facts.node}: the node does not pass packets on")
    return said


def kube_proxy(subject: Subject) -> list[str]:
    """Runs it, and does it program rules now?"""
    facts, name = subject.facts, subject.node.name
    said = []
    processes = facts.processes_named("kube-proxy")
    if not processes:
        said.append(f"kube-proxy is not running on {name}{_pod_of_kube_proxy(subject)}")
    elif stopped := [process for process in processes if process.state in "Tt"]:
        said.append(
            f"kube-proxy on {name} is stopped (process {stopped[0].pid} is in state {stopped[0].state}):"
            " it is there and does nothing"
        )
    if all("nat KUBE-SERVICES" not in rule for rule in _nat_jumps(facts)):
        said.append(f"there are no kube-proxy rules on {name}: no chain KUBE-SERVICES in iptables' table nat")
    elif subject.service is not None and not _has_rule_for(facts, subject.service.cluster_ip):
        said.append(
            f"kube-proxy on {name} does not program rules: the Service {subject.service.name}"
            f" ({subject.service.cluster_ip}), made for this check, is not in its iptables"
        )
    return said


def _nat_jumps(facts: NodeFacts) -> list[str]:
    return [
        "nat KUBE-SERVICES" if rule.endswith("-j KUBE-SERVICES") and rule.startswith("nat -A ") else ""
        for firewall in facts.firewalls
        for rule in firewall.rules
    ]


def _has_rule_for(facts: NodeFacts, cluster_ip: IPv4Address) -> bool:
    wanted = f"-d {cluster_ip}/32"
    return any(
        wanted in rule
        for firewall in facts.firewalls
        for table in ("nat", "filter")
        for rule in firewall.rules_of(table, "KUBE-SERVICES")
    )


def _pod_of_kube_proxy(subject: Subject) -> str:
    for pod in subject.system_pods:
        if pod.name.startswith("kube-proxy") and pod.node == subject.node.name:
            return f": its pod {pod.name} is {pod.state}"
    return ": it has no pod there"


def devices(subject: Subject) -> list[str]:
    said = []
    for wanted in subject.expectations.data_path.devices:
        link = subject.facts.link(wanted.name)
        if link is None:
            said.append(f"{subject.node.name} has no device {wanted.name}, which {wanted.owner} makes")
        else:
            said += _wrong_with(link, wanted, subject)
    said += _pod_links(subject)
    return said


def _wrong_with(link: Link, wanted: Device, subject: Subject) -> list[str]:
    name = subject.node.name
    said = []
    if link.kind != wanted.kind:
        said.append(f"{link.name} on {name} is of kind {link.kind or 'NIC'}, expected {wanted.kind}")
    if not link.up:
        said.append(f"{link.name} on {name} is down")
    if wanted.mtu is not None and link.mtu != wanted.mtu:
        said.append(f"{link.name} on {name} has MTU {link.mtu}, expected {wanted.mtu}")
    if wanted.vni is not None and link.vni != wanted.vni:
        said.append(f"{link.name} on {name} has VNI {link.vni}, expected {wanted.vni}")
    if wanted.port is not None and link.port != wanted.port:
        said.append(f"{link.name} on {name} uses UDP port {link.port}, expected {wanted.port}")
    if wanted.over is not None:
        said += _wrong_nic(link, wanted, wanted.over, subject)
    return said


def _wrong_nic(link: Link, wanted: Device, role: str, subject: Subject) -> list[str]:
    nic = subject.inventory.nic(subject.node, role)
    if nic is None:
        return [f"{subject.node.name} has no NIC on the {role} network"]
    under = subject.facts.link_under(link)
    local = link.local
    if under == nic.device and local in (None, nic.address.ip):
        return []
    if under is None and local == nic.address.ip:  # a tunnel that is bound to an address alone
        return []
    if local is None and under is not None and (below := subject.facts.link(under)) is not None:
        local = next((address.ip for address in below.addresses), None)
    uses = under or (subject.facts.device_with(local) if local else None) or "no device"
    return [
        f"{wanted.owner} on {subject.node.name} uses {uses} ({local or 'no address'}),"
        f" expected {nic.device} ({nic.address.ip})"
    ]


def _pod_links(subject: Subject) -> list[str]:
    said = []
    for pod, links in subject.facts.pod_links.items():
        wanted = subject.expected_of(pod).pods.link
        link = next((found for found in links if found.name == "eth0"), None)
        if link is None:
            said.append(f"pod {pod} on {subject.node.name} has no eth0")
            continue
        if link.kind != wanted.kind:
            said.append(
                f"eth0 of pod {pod} on {subject.node.name} is {link.kind or 'a NIC'}, expected {wanted.kind}"
            )
        if wanted.over is not None:
            nic = subject.inventory.nic(subject.node, wanted.over)
            under = subject.facts.link_under(link)
            if nic is not None and under != nic.device:
                said.append(
                    f"eth0 of pod {pod} on {subject.node.name} lies on {under or 'no device'},"
                    f" expected {nic.device}"
                )
    return said


def other_modes(subject: Subject) -> list[str]:
    return [
        f"{subject.node.name} has the device {link.name}, which belongs to another network mode"
        for link in subject.facts.links
        if any(fnmatch(link.name, pattern) for pattern in subject.expectations.data_path.absent)
    ]


def routes(subject: Subject) -> list[str]:
    said = []
    for pod in subject.pods:
        if pod.address not in subject.facts.routes:
            continue
        own = pod.node == subject.node.name
        ways = subject.expected_of(pod.name).data_path.routes
        wanted = ways.own_pod if own else ways.other_pod
        used = subject.facts.routes[pod.address]
        if not used:
            said.append(f"{subject.node.name} has no route to pod {pod.name} ({pod.address}) on {pod.node}")
        elif not _fits(used, wanted, subject):
            said.append(
                f"{subject.node.name} reaches pod {pod.name} ({pod.address}) on {pod.node} through {used},"
                f" expected {_via_text(wanted, subject)}"
            )
    return said + _sessions(subject) + _tables(subject) + _proxy_arp(subject)


def _sessions(subject: Subject) -> list[str]:
    if not subject.expectations.data_path.bgp:
        return []
    others = [
        (node.name, nic.address.ip)
        for node in subject.inventory.nodes
        if node != subject.node and (nic := subject.inventory.nic(node, "underlay")) is not None
    ]
    return [
        f"{subject.node.name} has no BGP session (TCP {BGP_PORT}) with {name} ({address}),"
        " from which it would learn the routes to its pods"
        for name, address in others
        if address not in subject.facts.bgp_peers
    ]


def _tables(subject: Subject) -> list[str]:
    return [
        f"no routing rule of {subject.node.name} leads to table {table.number}, which {table.owner} makes"
        for table in subject.expectations.data_path.tables
        if table.number not in subject.facts.rule_tables
    ]


def _proxy_arp(subject: Subject) -> list[str]:
    said = []
    for pod in subject.pods:
        wanted = subject.expected_of(pod.name).data_path.proxy_arp
        if wanted is None or pod.node != subject.node.name:
            continue
        used = sorted(device for address, device in subject.facts.proxy_arp if address == pod.address)
        if not any(_fits(device, wanted, subject) for device in used):
            said.append(
                f"{subject.node.name} answers ARP for its pod {pod.name} ({pod.address}) on"
                f" {' and '.join(used) or 'no device'}, expected {_via_text(wanted, subject)}"
            )
    return said


def _fits(used: str, wanted: RouteVia, subject: Subject) -> bool:
    if wanted.device is not None:
        return used == wanted.device
    if wanted.nic is not None:
        nic = subject.inventory.nic(subject.node, wanted.nic)
        return nic is not None and used == nic.device
    link = subject.facts.link(used)
    if link is None or link.kind != wanted.kind:
        return False
    below = subject.inventory.nic(subject.node, wanted.over) if wanted.over else None
    return below is None or subject.facts.link_under(link) == below.device


def _via_text(wanted: RouteVia, subject: Subject) -> str:
    if wanted.device is not None:
        return wanted.device
    role = wanted.nic or wanted.over or ""
    nic = subject.inventory.nic(subject.node, role)
    device = nic.device if nic else f"the {role} NIC"
    return device if wanted.nic is not None else f"a {wanted.kind} device over {device}"


def node_annotations(subject: Subject) -> list[str]:
    said = []
    for key, wanted in subject.expectations.data_path.annotations.items():
        nic = subject.inventory.nic(subject.node, wanted.address_on)
        if nic is None or subject.cluster_node is None:
            continue
        # The length of a prefix may follow the address.
        value, _, _ = subject.cluster_node.annotations.get(key, "").partition("/")
        if value == str(nic.address.ip):
            continue
        device = next((n.device for n in subject.node.nics if str(n.address.ip) == value), None)
        said.append(
            f"{wanted.owner} announces {subject.node.name} to the other nodes as {value or 'nothing'}"
            f"{f' on {device}' if device else ''}, expected {nic.device} ({nic.address.ip});"
            f" the node's annotation {key} says so"
        )
    return said


def cluster_causes(
    nodes: Mapping[str, ClusterNode] | Problem, pods: Sequence[ClusterPod] | Problem
) -> tuple[str, ...]:
    """What is wrong with the cluster as a whole: nodes not Ready, no DNS."""
    said: list[str] = []
    if isinstance(nodes, Problem):
        said.append(str(nodes))
    else:
        said += [
            f"node {node.name} is not Ready: {node.not_ready_because}"
            for node in nodes.values()
            if not node.ready
        ]
    if isinstance(pods, Problem):
        said.append(str(pods))
    else:
        dns = [pod for pod in pods if pod.labels.get("k8s-app") == "kube-dns"]
        if not dns:
            said.append("there is no CoreDNS pod (label k8s-app=kube-dns)")
        elif not any(pod.ready for pod in dns):
            states = ", ".join(f"{pod.name} on {pod.node or 'no node'}: {pod.state}" for pod in dns)
            said.append(f"no CoreDNS pod is Ready: {states}")
    return tuple(said)
