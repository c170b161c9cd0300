"""Whether a topology's control planes can be one cluster, and the address by which they are reached."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from lab.topology.draft import Draft, DraftNetwork
from lab.topology.findings import Problem
from lab.topology.host_address import host_address
from lab.topology.models import LoadBalancer, NodeRole

MOST_CONTROL_PLANES = 7
"""etcd's FAQ: more members make each write slower, and seven bear three failures."""

WHERE = ("kubernetes",)
ADDRESS = "api_address"
BALANCER = "load_balancer"
ADDRESS_PATH = (*WHERE, ADDRESS)


def check_control_planes(draft: Draft) -> Iterator[Problem]:
    """All problems of the number of control planes, and of what leads to them."""
    roles = [node.role for node in draft.nodes.values()]
    names = [node.name for node in draft.nodes.values() if node.role is NodeRole.CONTROL_PLANE]
    known = bool(roles) and None not in roles
    if known and not names:
        yield Problem(
            ("nodes",),
            "found no node with the role 'control-plane', expected one, or an odd number of them",
            at_key=True,
        )
    if names:
        yield from _number(names)
    if known and len(names) == 1:
        yield from _balanced_alone(draft, names[0])
    elif len(names) > 1:
        yield from _balanced(draft)
    if draft.api_address is not None:
        yield from _address(draft, draft.api_address)


def _number(names: list[str]) -> Iterator[Problem]:
    number, path = len(names), ("nodes", names[-1], "role")
    if number > MOST_CONTROL_PLANES:
        yield Problem(
            path,
            f"found {number} control planes, expected at most {MOST_CONTROL_PLANES}:"
            " etcd waits for more than half of its members at each write",
        )
    elif number % 2 == 0:
        yield Problem(
            path,
            f"found {number} control planes, expected an odd number: etcd works while more than half of its"
            f" members do, so {number} bear no more failures than {number - 1}",
        )


def _balanced_alone(draft: Draft, name: str) -> Iterator[Problem]:
    for key in (BALANCER, ADDRESS):
        if key in draft.given:
            yield Problem(
                (*WHERE, key),
                f"found '{key}' and one control plane, expected it with several only:"
                f" the API has the address of '{name}'",
                at_key=True,
            )


def _balanced(draft: Draft) -> Iterator[Problem]:
    given = ADDRESS in draft.given
    if draft.load_balancer is LoadBalancer.KEEPALIVED_HAPROXY and not given:
        yield Problem(
            WHERE,
            f"found no '{ADDRESS}', expected one: a free address of the network '{draft.node_network}',"
            " which moves between the control planes",
            at_key=True,
        )
    elif draft.load_balancer is LoadBalancer.LOCAL_NGINX and given:
        yield Problem(
            ADDRESS_PATH,
            f"found '{ADDRESS}' and the load balancer '{draft.load_balancer}', expected none:"
            " it has no address but the loopback of each node",
            at_key=True,
        )


def _address(draft: Draft, address: IPv4Address) -> Iterator[Problem]:
    network = draft.networks.get(draft.node_network or "")
    if network is None:
        return
    yield from host_address(network, "the API's address", address, ADDRESS_PATH)
    for whose in _holders(draft, network, address):
        yield Problem(ADDRESS_PATH, f"found {address}, which is {whose}, expected a free address")
    if network.pod_range is not None and address in network.pod_range:
        yield Problem(
            ADDRESS_PATH,
            f"found {address} inside the pod range {network.pod_range}, expected it outside:"
            " a pod could get the API's address",
        )
    if draft.service_cidr is not None and address in draft.service_cidr:
        yield Problem(
            ADDRESS_PATH,
            f"found {address} inside the service CIDR {draft.service_cidr}, expected it outside:"
            " a Service could get the API's address",
        )


def _holders(draft: Draft, network: DraftNetwork, address: IPv4Address) -> Iterator[str]:
    if address == network.gateway:
        yield f"the gateway of '{network.name}'"
    if address == network.lan_host:
        yield f"the LAN host of '{network.name}'"
    for node in draft.nodes.values():
        if node.addresses.get(network.name) == address:
            yield f"the address of '{node.name}'"
