"""A node's ways to pods: routes, routing tables, proxy ARP, and where it is announced to be."""

from __future__ import annotations

from acceptance.diagnosis.subject import Subject
from acceptance.expectations import RouteVia
from acceptance.node_facts import BGP_PORT


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
            missing = ": there is no route to it but the default one" if _is_default(used, subject) else ""
            said.append(
                f"{subject.node.name} reaches pod {pod.name} ({pod.address}) on {pod.node} through {used},"
                f" expected {_via_text(wanted, subject)}{missing}"
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


def _is_default(used: str, subject: Subject) -> bool:
    """Whether packets through that device can only be following the default route."""
    return used in subject.facts.default_devices


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
        return used == subject.device_name(wanted.device)
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
        return subject.device_name(wanted.device)
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
