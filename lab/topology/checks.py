"""Whether the networks, addresses and roles of a topology fit together: every rule, all problems at once."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from ipaddress import IPv4Address

from lab.topology.cluster_checks import check_cluster_cidrs
from lab.topology.control_plane_checks import check_control_planes
from lab.topology.draft import Draft, DraftNetwork, DraftNode
from lab.topology.findings import Problem, closest, did_you_mean, one_of
from lab.topology.host_address import host_address
from lab.topology.models import NetworkRole
from lab.topology.ranges import impossible_range
from lab.topology.values import LABEL_LENGTH

LONGEST_PREFIX = 30
"""A network needs an address for its gateway and one for a node."""

PODS_AT_ONCE = 10
"""So many the acceptance suite starts, spread over all nodes."""
PODS_BESIDE = 7
"""On one node: the host shim, two of the cluster DNS, two that ask, the suite's backend and its successor."""

MOST_NETWORKS = 6
"""A node has settings for eth0 to eth5 (lab/supply/box/recipe/root/etc/systemd/network)."""

OWN_NAMES = ("localhost", "ip6-localhost", "ip6-loopback")
"""Names that every machine has for itself (lab/nodes/prepare.py)."""
OTHERS_NAMES = {
    "lan-host": "the third party on the underlay has that name",
    "lan": "`lab capture` calls the underlay so",
    "uplink": "`lab trace` calls the way out of the lab so",
    "all": "Ansible calls all nodes together so",
    "workers": "Ansible calls all workers together so",
}
NODE_NAME_LENGTH = 48
"""A label of the suite's pods has `probe-underlay-` before it, and may have 63 characters; a certificate's
common name has `system:node:` before it, and may have 64 (X.520, ub-common-name)."""
_ADDRESS = re.compile(r"\d+|0x[0-9a-f]+")
_NO_TEXT = re.compile(
    r"y|n|yes|no|on|off|true|false|null|\d+e\d+|0b[01]+|0o[0-7]+|\d{4}-\d\d?-\d\d?", re.ASCII
)
"""What kubeadm and kubectl read as a number, a date or a truth value (resolve.go of gopkg.in/yaml.v2)."""


def pods_per_node(nodes: int) -> int:
    """The least share of the pod range, so that the acceptance suite has room in a lab of so many nodes."""
    return PODS_BESIDE + math.ceil(PODS_AT_ONCE / max(nodes, 1))


def is_address(name: str) -> bool:
    """Whether inet_aton(3) takes it for an address, though it has no dot."""
    return _ADDRESS.fullmatch(name) is not None


def is_text(name: str) -> bool:
    """Whether YAML takes it for text without quotes, in every manifest that names it."""
    return _NO_TEXT.fullmatch(name) is None


def check(draft: Draft) -> Iterator[Problem]:
    """All problems of addresses, names and roles in a topology."""
    yield from _network_roles(draft)
    yield from _number_of_networks(draft)
    yield from _node_names(draft)
    for network in draft.networks.values():
        yield from _network(network)
        yield from _pod_range(network, len(draft.nodes))
        yield from _lan_host(network)
    yield from _overlapping_networks(draft)
    yield from check_control_planes(draft)
    yield from _node_network(draft)
    yield from _node_addresses(draft)
    yield from _duplicate_addresses(draft)
    yield from check_cluster_cidrs(draft)


def _network_roles(draft: Draft) -> Iterator[Problem]:
    networks = list(draft.networks.values())
    if networks and networks[0].role not in (None, NetworkRole.UPLINK):
        yield Problem(
            ("networks", networks[0].name, "role"),
            f"found the role '{networks[0].role}' on the first network, expected 'uplink':"
            " eth0 leads to the outside",
        )
    for role in (NetworkRole.UPLINK, NetworkRole.UNDERLAY):
        having = [network.name for network in networks if network.role is role]
        for name in having[1:]:
            yield Problem(
                ("networks", name, "role"),
                f"found a second network with the role '{role}', expected one only, which is '{having[0]}'",
            )


def _number_of_networks(draft: Draft) -> Iterator[Problem]:
    for name in list(draft.networks)[MOST_NETWORKS:]:
        yield Problem(
            ("networks", name),
            f"found {len(draft.networks)} networks, expected at most {MOST_NETWORKS}, the NICs of a node",
            at_key=True,
        )


def _node_names(draft: Draft) -> Iterator[Problem]:
    for name in draft.nodes:
        if name in OWN_NAMES:
            said = "expected another name: every machine calls itself so"
        elif name in OTHERS_NAMES:
            said = f"expected another name: {OTHERS_NAMES[name]}"
        elif is_address(name):
            said = "expected a name that is no number: programs take a number for an address"
        elif not is_text(name):
            said = "expected a name that YAML takes for text: manifests name nodes without quotes"
        elif NODE_NAME_LENGTH < len(name) <= LABEL_LENGTH:
            said = (
                f"expected at most {NODE_NAME_LENGTH} characters, this has {len(name)}:"
                " labels and certificates have words before it"
            )
        else:
            continue
        yield Problem(("nodes", name), f"found a node named '{name}', {said}", at_key=True)


def _network(network: DraftNetwork) -> Iterator[Problem]:
    where = ("networks", network.name)
    cidr = network.cidr
    for key, given in (
        ("pod_range", network.pod_range),
        ("lan_host", network.lan_host),
        ("host_nic", network.host_nic),
    ):
        if given is not None and network.role not in (None, NetworkRole.UNDERLAY):
            yield Problem(
                (*where, key),
                f"found '{key}' on a network with the role '{network.role}', expected it on an underlay only",
                at_key=True,
            )
    if cidr is None:
        return
    if reason := impossible_range(cidr):
        yield Problem((*where, "cidr"), f"found {cidr}, {reason}, expected a range for ordinary hosts")
    if cidr.prefixlen > LONGEST_PREFIX:
        yield Problem(
            (*where, "cidr"),
            f"found {cidr}, {_addresses(cidr.num_addresses)}, expected at least a /{LONGEST_PREFIX}:"
            " the gateway and the nodes need addresses",
        )
    elif network.gateway is not None:
        yield from host_address(network, "the gateway", network.gateway, (*where, "gateway"))


def _pod_range(network: DraftNetwork, nodes: int) -> Iterator[Problem]:
    pods = network.pod_range
    if pods is None or network.role not in (None, NetworkRole.UNDERLAY):
        return
    path = ("networks", network.name, "pod_range")
    least = pods_per_node(nodes)
    if pods.size < nodes * least:
        yield Problem(
            path,
            f"found {_addresses(pods.size)} in {pods}, expected at least {nodes * least}:"
            f" {least} for each of {nodes} nodes, as many as the acceptance suite needs",
        )
    cidr = network.cidr
    if cidr is None:
        return
    if pods.first not in cidr or pods.last not in cidr:
        yield Problem(path, f"found {pods}, expected a range inside {cidr}, the network '{network.name}'")
        return
    for what, address in (
        ("the network address", cidr.network_address),
        ("the broadcast address", cidr.broadcast_address),
        ("the gateway", network.gateway),
    ):
        if address is not None and address in pods:
            yield Problem(
                path, f"found {pods}, which holds {what} {address}, expected a range for pods alone"
            )


def _lan_host(network: DraftNetwork) -> Iterator[Problem]:
    address = network.lan_host
    if address is None or network.role not in (None, NetworkRole.UNDERLAY):
        return
    path = ("networks", network.name, "lan_host")
    yield from host_address(network, "the LAN host", address, path)
    if address == network.gateway:
        yield Problem(
            path, f"found {address}, which is the gateway, expected an address of the LAN host's own"
        )
    if network.pod_range is not None and address in network.pod_range:
        yield Problem(path, f"found {address} inside the pod range {network.pod_range}, expected it outside")


def _overlapping_networks(draft: Draft) -> Iterator[Problem]:
    before: list[DraftNetwork] = []
    for network in draft.networks.values():
        if network.cidr is None:
            continue
        for other in before:
            if other.cidr is not None and network.cidr.overlaps(other.cidr):
                yield Problem(
                    ("networks", network.name, "cidr"),
                    f"found {network.cidr}, which overlaps {other.cidr} of the network '{other.name}',"
                    " expected a range of its own",
                )
        before.append(network)


def _node_network(draft: Draft) -> Iterator[Problem]:
    name = draft.node_network
    if name is None or not draft.networks or name in draft.networks:
        return
    yield Problem(
        ("kubernetes", "node_network"),
        f"found no network '{name}', which `node_network:` names or means when left out,"
        f" expected {one_of(draft.networks)}{did_you_mean(name, draft.networks)}",
    )


def _node_addresses(draft: Draft) -> Iterator[Problem]:
    for node in draft.nodes.values():
        yield from _missing_addresses(draft, node)
        for name, address in node.addresses.items():
            path = ("nodes", node.name, "addresses", name)
            network = draft.networks.get(name)
            if network is None:
                known = one_of(draft.networks) or "a network of this file"
                close = did_you_mean(name, draft.networks)
                yield Problem(
                    path, f"found the unknown network '{name}', expected {known}{close}", at_key=True
                )
            elif address is not None:
                yield from _node_address(node, network, address, path)


def _missing_addresses(draft: Draft, node: DraftNode) -> Iterator[Problem]:
    needed = {
        name: "the uplink" for name, network in draft.networks.items() if network.role is NetworkRole.UPLINK
    }
    node_network = draft.node_network
    if node_network is not None and node_network in draft.networks:
        needed[node_network] = "the node_network"
    misspelt = {closest(name, draft.networks) for name in node.addresses if name not in draft.networks}
    for name, what in needed.items():
        if node.has_addresses and name not in node.addresses and name not in misspelt:
            yield Problem(
                ("nodes", node.name, "addresses"),
                f"found no address of '{node.name}' on '{name}', expected one: it is {what}",
                at_key=True,
            )


def _node_address(
    node: DraftNode, network: DraftNetwork, address: IPv4Address, path: tuple[str, ...]
) -> Iterator[Problem]:
    yield from host_address(network, "the address", address, path)
    if address == network.gateway:
        yield Problem(
            path, f"found {address}, which is the gateway of '{network.name}', expected a free address"
        )
    if address == network.lan_host:
        yield Problem(
            path, f"found {address}, which is the LAN host of '{network.name}', expected a free address"
        )
    if network.pod_range is not None and address in network.pod_range:
        yield Problem(
            path,
            f"found {address} inside the pod range {network.pod_range}, expected it outside:"
            f" a pod could get the address of '{node.name}'",
        )


def _duplicate_addresses(draft: Draft) -> Iterator[Problem]:
    holders: dict[tuple[str, IPv4Address], str] = {}
    for node in draft.nodes.values():
        for network, address in node.addresses.items():
            if address is None:
                continue
            holder = holders.setdefault((network, address), node.name)
            if holder != node.name:
                yield Problem(
                    ("nodes", node.name, "addresses", network),
                    f"found {address}, which '{holder}' already has, expected a free address",
                )


def _addresses(number: int) -> str:
    return "1 address" if number == 1 else f"{number} addresses"
