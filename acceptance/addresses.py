"""Where every endpoint of the matrix answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from acceptance.asking import POD_HTTP_PORT, POD_UDP_PORT
from acceptance.cluster import ClusterPod
from acceptance.evidence import Evidence, role_of
from acceptance.expectations import Expectations
from acceptance.inventory import Inventory
from acceptance.matrix import Endpoint, EndpointKind, pod_endpoints
from acceptance.netexec import NODE_HTTP_PORT, NODE_UDP_PORT
from acceptance.questions import Address


def addresses_of(
    inventory: Inventory, expectations: Expectations, pods: Mapping[str, ClusterPod]
) -> dict[Endpoint, Address]:
    """Of nodes, LAN host, and those of the pods, by role, that have an address."""
    found: dict[Endpoint, Address] = {}
    for node in inventory.nodes:
        itself = Endpoint(EndpointKind.NODE, node.name)
        found[itself] = Address(node.internal_address, NODE_HTTP_PORT, NODE_UDP_PORT)
    for endpoint in pod_endpoints(inventory, expectations):
        pod = pods.get(role_of(endpoint))
        if pod is not None and pod.address is not None:
            found[endpoint] = Address(pod.address, POD_HTTP_PORT, POD_UDP_PORT)
    if inventory.lan_host is not None:
        lan = inventory.lan_host
        found[Endpoint(EndpointKind.LAN_HOST)] = Address(lan.address, lan.http_port, lan.udp_port)
    return found


def with_uplink(evidence: Evidence, http_port: int) -> Evidence:
    """With the lab's side of the uplink, where there is one; a port of 0 means that it is only pinged."""
    network = evidence.inventory.uplink
    if network is None:
        return evidence
    address = Address(network.host_address.ip, http_port, 0)
    return replace(evidence, addresses={**evidence.addresses, Endpoint(EndpointKind.UPLINK): address})
