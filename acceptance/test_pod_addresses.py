"""The suite's pods: ready, with addresses the mode gives out, each of them once, and the right MTU inside."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest

from acceptance.cluster import ClusterPod
from acceptance.evidence import Evidence, role_of
from acceptance.expectations import Pods as PodsExpected
from acceptance.inventory import AddressRange, Inventory, Node
from acceptance.matrix import Endpoint, pod_endpoints
from acceptance.node_facts import NodeFacts
from acceptance.problems import Problem
from acceptance.report import causes


def _endpoints_on(node: Node, evidence: Evidence) -> tuple[Endpoint, ...]:
    everyone = pod_endpoints(evidence.inventory, evidence.expectations)
    return tuple(endpoint for endpoint in everyone if endpoint.node == node.name)


def _pods_on(node: Node, evidence: Evidence) -> list[tuple[ClusterPod, PodsExpected]]:
    """The suite's pods on a node and what is expected of them; fails when one of them has no address."""
    if isinstance(evidence.service, Problem):
        pytest.fail(f"the suite's pods could not be made: {evidence.service}", pytrace=False)
    pods = []
    for endpoint in _endpoints_on(node, evidence):
        role = role_of(endpoint)
        if role not in evidence.pods or evidence.pods[role].address is None:
            pytest.fail(f"{evidence.pod_problems.get(role)}\n{causes(evidence, (node.name,))}", pytrace=False)
        pods.append((evidence.pods[role], evidence.expectations.of(endpoint.group).pods))
    return pods


def test_ready(node: Node, evidence: Evidence) -> None:
    """The pods of the node run, and kubelet's readiness probes pass where the mode lets them."""
    _pods_on(node, evidence)
    for endpoint in _endpoints_on(node, evidence):
        if (problem := evidence.pod_problems.get(role_of(endpoint))) is not None:
            pytest.fail(f"{problem}\n{causes(evidence, (node.name,))}", pytrace=False)


def test_range(node: Node, evidence: Evidence) -> None:
    """Every pod's address comes from where the mode takes addresses from, the node's own share of it."""
    for pod, expected in _pods_on(node, evidence):
        address = pod.address
        assert address is not None
        match expected.addresses:
            case "node-block" | "calico-block":
                _in_block(pod, address, node, evidence, expected)
            case "pod-cidr":
                _in(pod, address, evidence.inventory.kubernetes.pod_cidr)
            case "underlay-share":
                share = node.underlay_pods
                assert share is not None, f"{node.name} has no share of the underlay's pod range"
                _in(pod, address, share)
            case "underlay-range":
                underlay = evidence.inventory.network_with_role("underlay")
                pod_range = underlay.pod_range if underlay else None
                assert pod_range is not None, "the underlay has no range of addresses for pods"
                _in(pod, address, pod_range)


def _in(pod: ClusterPod, address: IPv4Address, addresses: AddressRange | IPv4Network) -> None:
    assert address in addresses, f"{pod.name} has {address}, expected one of {addresses}"


def _in_block(
    pod: ClusterPod, address: IPv4Address, node: Node, evidence: Evidence, expected: PodsExpected
) -> None:
    if isinstance(evidence.blocks, Problem):
        pytest.fail(str(evidence.blocks), pytrace=False)
    pod_cidr = evidence.inventory.kubernetes.pod_cidr
    _in(pod, address, pod_cidr)
    blocks = evidence.blocks.get(node.name, ())
    assert blocks, f"{node.name} has no block of {pod_cidr}"
    for block in blocks:
        assert block.subnet_of(pod_cidr), f"the block of {node.name} is {block}, outside {pod_cidr}"
        assert block.prefixlen == expected.block_prefix, f"the block of {node.name} is {block}"
    assert any(address in block for block in blocks), (
        f"{pod.name} on {node.name} has {address}, expected one of the node's block"
        f" {' or '.join(map(str, blocks))}"
    )


def test_unique(evidence: Evidence, inventory: Inventory) -> None:
    """No address twice, and none that belongs to a node, the LAN host or a gateway."""
    if isinstance(evidence.all_pods, Problem):
        pytest.fail(str(evidence.all_pods), pytrace=False)
    taken: dict[IPv4Address, str] = {}
    for node in inventory.nodes:
        taken.update(dict.fromkeys(node.addresses, f"node {node.name}"))
    for network in inventory.networks:
        taken[network.host_address.ip] = f"the gateway of {network.name}"
    if inventory.lan_host is not None:
        taken[inventory.lan_host.address] = "the LAN host"
    twice = []
    living = [
        pod for pod in evidence.all_pods if not pod.host_network and pod.running and pod.address is not None
    ]
    for pod in living:
        assert pod.address is not None
        if pod.address in taken:
            twice.append(f"{pod.address} belongs to {taken[pod.address]} and to pod {pod.name}")
        taken[pod.address] = f"pod {pod.name}"
    assert living, "there is no pod with an address of its own"
    assert not twice, "\n".join(twice)


def test_mtu(node: Node, evidence: Evidence) -> None:
    """The MTU inside the pods: what fits through the mode's way between nodes, no more and no less."""
    facts = evidence.facts.get(node.name)
    if not isinstance(facts, NodeFacts):
        pytest.fail(f"{node.name} cannot be asked: {facts}", pytrace=False)
    for pod, expected in _pods_on(node, evidence):
        links = facts.pod_links.get(pod.name, ())
        eth0 = next((link for link in links if link.name == "eth0"), None)
        assert eth0 is not None, f"no eth0 was seen inside {pod.name} on {node.name}"
        assert eth0.mtu == expected.mtu, (
            f"{pod.name} on {node.name} has MTU {eth0.mtu}, expected {expected.mtu}"
        )
