"""A lab as the acceptance suite sees it, without one running."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from acceptance.asking import Answers
from acceptance.cluster import ClusterPod
from acceptance.evidence import Evidence, role_of
from acceptance.expectations import Expectations, Source, load_expectations
from acceptance.inventory import Inventory, parse_inventory
from acceptance.matrix import Endpoint, EndpointKind, endpoints, pairs
from acceptance.node_facts import NodeFacts
from acceptance.pace import USUAL_READ, USUAL_WORK, HostLoad, Pace
from acceptance.probes import Answer, Protocol
from acceptance.problems import Problem
from acceptance.questions import Address, matrix_probe
from acceptance.rounds import RoundLimits
from acceptance.workload import BackendService

RECORDED = Path(__file__).parent / "recorded"


class Clock:
    """Time that passes only in sleep."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(clock: Clock) -> RoundLimits:
    return RoundLimits(clock=lambda: clock.now, sleep=clock.sleep)


@pytest.fixture
def inventory_json() -> dict[str, object]:
    """An inventory as `lab inventory --json` prints it."""
    return dict(json.loads((RECORDED / "inventory.json").read_text()))


@pytest.fixture
def inventory(inventory_json: dict[str, object]) -> Inventory:
    return parse_inventory(json.dumps(inventory_json), "recorded")


@pytest.fixture
def flannel() -> Expectations:
    return load_expectations("flannel-vxlan", {})


@pytest.fixture
def macvlan() -> Expectations:
    return load_expectations("macvlan", {})


@pytest.fixture
def usual_pace(inventory: Inventory) -> Pace:
    """A cluster that works as fast as usual."""
    return Pace({node.name: USUAL_WORK for node in inventory.nodes}, USUAL_READ, HostLoad(1.0, 2, 0.0))


def _pod(role: str, node: str, address: str) -> ClusterPod:
    return ClusterPod(
        "lab-acceptance",
        role,
        role,
        node,
        IPv4Address(address),
        False,
        True,
        True,
        False,
        "Running",
        {"role": role},
    )


def _addresses(inventory: Inventory, expectations: Expectations) -> dict[Endpoint, Address]:
    found: dict[Endpoint, Address] = {}
    for index, endpoint in enumerate(endpoints(inventory, expectations), start=1):
        match endpoint.kind:
            case EndpointKind.POD:
                ip = IPv4Address(f"172.31.6.{index}")
            case EndpointKind.NODE:
                ip = inventory.node(endpoint.node or "").internal_address
            case _:
                ip = IPv4Address("172.31.0.100")
        found[endpoint] = Address(ip, 8080, 8081)
    return found


def _as_expected(
    inventory: Inventory, expectations: Expectations, addresses: Mapping[Endpoint, Address]
) -> Answers:
    """Every answer as the mode's expectations want it."""
    answers: Answers = {}
    for pair in pairs(inventory, expectations):
        expected = expectations.reach[pair.way]
        source = {
            Source.LAN_HOST: IPv4Address("172.31.0.100"),
            Source.POD: addresses[pair.sender].ip,
            None: None,
        }.get(expected.source) or inventory.node(pair.sender.node or "k8s-node1").internal_address
        for protocol in Protocol:
            probe = matrix_probe(pair, protocol, addresses[pair.target])
            if probe is not None:
                answers[pair.sender, probe.key] = (
                    Answer.heard(f"{source}:4000") if expected.answers else Answer.silence("i/o timeout")
                )
    return answers


@pytest.fixture
def healthy(inventory: Inventory, macvlan: Expectations) -> Evidence:
    """What is seen on a lab in mode macvlan on which everything is right."""
    return _healthy(inventory, macvlan)


@pytest.fixture
def without_shim(inventory: Inventory) -> Evidence:
    """The same where nodes and their own pods must not reach each other."""
    return _healthy(inventory, load_expectations("macvlan", {"host_shim": False}))


def _healthy(inventory: Inventory, expectations: Expectations) -> Evidence:
    addresses = _addresses(inventory, expectations)
    pods = {
        role_of(endpoint): _pod(role_of(endpoint), endpoint.node or "", str(address.ip))
        for endpoint, address in addresses.items()
        if endpoint.kind is EndpointKind.POD
    }
    return Evidence(
        inventory=inventory,
        expectations=expectations,
        cluster_nodes={},
        all_pods=(replace(next(iter(pods.values())), name="coredns", labels={"k8s-app": "kube-dns"}),),
        service=BackendService("backend", IPv4Address("10.96.1.2"), 30001, 30002),
        pods=pods,
        pod_problems={},
        machine_problems={},
        addresses=addresses,
        answers=_as_expected(inventory, expectations, addresses),
        questions=(),
        facts={
            node.name: NodeFacts(
                node.name,
                (),
                (),
                {},
                (),
                {},
                {pod.name: () for pod in pods.values() if pod.node == node.name},
            )
            for node in inventory.nodes
        },
        names={},
        replacement=Problem("not tried"),
        findings={},
    )
