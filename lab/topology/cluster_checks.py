"""Whether the pod and service CIDRs suit Kubernetes and keep clear of each other and of the networks."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from lab.topology.draft import Draft, DraftNetwork
from lab.topology.findings import Problem
from lab.topology.models import Allowance, NetworkRole
from lab.topology.ranges import impossible_range

NODE_PREFIX = 24
"""Prefix length of a node's share of the pod CIDR: kube-controller-manager's default for IPv4."""

POD_CIDR_SHORTEST_PREFIX = NODE_PREFIX - 16
"""kubeadm's ValidatePodSubnetNodeMask: at most 16 bits between the pod CIDR and a node's share."""

SERVICE_CIDR_PREFIXES = range(12, 29)
"""kube-apiserver refuses more than 20 host bits, kubeadm fewer addresses than its DNS needs (the tenth)."""

POD_PATH = ("kubernetes", "pod_cidr")
SERVICE_PATH = ("kubernetes", "service_cidr")


def check_cluster_cidrs(draft: Draft) -> Iterator[Problem]:
    """All problems of the pod CIDR and the service CIDR."""
    pods, services = draft.pod_cidr, draft.service_cidr
    if pods is not None:
        yield from _usable(POD_PATH, pods)
        yield from _pod_cidr_size(pods, len(draft.nodes))
        for network in draft.networks.values():
            if network.cidr is not None and pods.overlaps(network.cidr):
                yield _overlap(POD_PATH, pods, network.cidr, f"of the network '{network.name}'")
    if services is not None:
        yield from _usable(SERVICE_PATH, services)
        yield from _service_cidr_size(services)
        for network in draft.networks.values():
            yield from _services_and_network(draft, services, network)
        if pods is not None and services.overlaps(pods):
            yield _overlap(SERVICE_PATH, services, pods, "of the pods")


def _usable(path: tuple[str, ...], cidr: IPv4Network) -> Iterator[Problem]:
    if reason := impossible_range(cidr):
        yield Problem(path, f"found {cidr}, {reason}, expected a range for ordinary hosts")


def _overlap(path: tuple[str, ...], cidr: IPv4Network, other: IPv4Network, whose: str) -> Problem:
    return Problem(path, f"found {cidr}, which overlaps {other} {whose}, expected a range of its own")


def _pod_cidr_size(cidr: IPv4Network, nodes: int) -> Iterator[Problem]:
    if cidr.prefixlen < POD_CIDR_SHORTEST_PREFIX:
        yield Problem(
            POD_PATH, f"found {cidr}, expected at most a /{POD_CIDR_SHORTEST_PREFIX} (kubeadm's limit)"
        )
        return
    shares = 2 ** (NODE_PREFIX - cidr.prefixlen) if cidr.prefixlen <= NODE_PREFIX else 0
    if shares < max(nodes, 1):
        yield Problem(
            POD_PATH,
            f"found {cidr}, which holds {shares} times a /{NODE_PREFIX},"
            f" expected one for each of {nodes} nodes",
        )


def _service_cidr_size(cidr: IPv4Network) -> Iterator[Problem]:
    shortest, longest = SERVICE_CIDR_PREFIXES[0], SERVICE_CIDR_PREFIXES[-1]
    if cidr.prefixlen < shortest:
        yield Problem(SERVICE_PATH, f"found {cidr}, expected at most a /{shortest} (the API server's limit)")
    elif cidr.prefixlen > longest:
        yield Problem(
            SERVICE_PATH, f"found {cidr}, expected at least a /{longest}: cluster DNS gets the tenth address"
        )


def _services_and_network(draft: Draft, services: IPv4Network, network: DraftNetwork) -> Iterator[Problem]:
    cidr = network.cidr
    if cidr is None or not services.overlaps(cidr):
        return
    if network.role is not NetworkRole.UNDERLAY or not services.subnet_of(cidr):
        yield _overlap(SERVICE_PATH, services, cidr, f"of the network '{network.name}'")
        return
    if Allowance.SERVICE_CIDR_INSIDE_UNDERLAY not in draft.allow:
        yield Problem(SERVICE_PATH, _inside_underlay(services, network.name, cidr))
    for what in _taken_inside(draft, services, network):
        yield Problem(SERVICE_PATH, f"found {services}, which holds {what}, expected addresses nobody has")


def _inside_underlay(services: IPv4Network, name: str, cidr: IPv4Network) -> str:
    word = Allowance.SERVICE_CIDR_INSIDE_UNDERLAY
    return (
        f"found {services} inside {cidr} of the network '{name}', expected a range outside it:"
        f" every node takes service addresses for neighbours there, so where kube-proxy's rules are"
        f" missing it asks by ARP for {services[1]}, and nobody answers; take another range such as"
        f" 10.96.0.0/16, or accept this with `allow: [{word}]`"
    )


def _taken_inside(draft: Draft, services: IPv4Network, network: DraftNetwork) -> Iterator[str]:
    """What has addresses of the underlay within the service CIDR."""
    if network.gateway is not None and network.gateway in services:
        yield f"the gateway {network.gateway}"
    if network.lan_host is not None and network.lan_host in services:
        yield f"the LAN host {network.lan_host}"
    pods = network.pod_range
    if (
        pods is not None
        and pods.first <= services.broadcast_address
        and pods.last >= services.network_address
    ):
        yield f"addresses of the pod range {pods}"
    for node in draft.nodes.values():
        address = node.addresses.get(network.name)
        if address is not None and address in services:
            yield f"the address {address} of '{node.name}'"
