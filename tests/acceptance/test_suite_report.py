"""From evidence to messages: what a person reads when a check fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from acceptance.asking import Answers
from acceptance.cluster import ClusterPod
from acceptance.diagnosis import Finding, Topic
from acceptance.evidence import Evidence, role_of
from acceptance.expectations import Expectations, Source
from acceptance.inventory import Inventory
from acceptance.matrix import Endpoint, EndpointKind, Pair, endpoints, pairs
from acceptance.node_facts import NodeFacts
from acceptance.probes import Answer, Protocol
from acceptance.problems import Problem
from acceptance.questions import Address, matrix_probe
from acceptance.report import cell_failure, judge, matrix_table
from acceptance.workload import BackendService

NODE1 = "k8s-node1"


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


def _addresses(inventory: Inventory) -> dict[Endpoint, Address]:
    found: dict[Endpoint, Address] = {}
    for index, endpoint in enumerate(endpoints(inventory), start=1):
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
    for pair in pairs(inventory):
        expected = expectations.reach[pair.way]
        source = {
            Source.LAN_HOST: IPv4Address("172.31.0.100"),
            Source.POD: addresses[pair.sender].ip,
            None: None,
        }.get(expected.source) or inventory.node(pair.sender.node or NODE1).internal_address
        for protocol in Protocol:
            probe = matrix_probe(pair, protocol, addresses[pair.target])
            if probe is not None:
                answers[pair.sender, probe.key] = (
                    Answer(True, f"{source}:4000") if expected.answers else Answer(False, error="i/o timeout")
                )
    return answers


@pytest.fixture
def healthy(inventory: Inventory, macvlan: Expectations) -> Evidence:
    addresses = _addresses(inventory)
    pods = {
        role_of(endpoint): _pod(role_of(endpoint), endpoint.node or "", str(address.ip))
        for endpoint, address in addresses.items()
        if endpoint.kind is EndpointKind.POD
    }
    return Evidence(
        inventory=inventory,
        expectations=macvlan,
        cluster_nodes={},
        all_pods=(replace(next(iter(pods.values())), name="coredns", labels={"k8s-app": "kube-dns"}),),
        service=BackendService("backend", IPv4Address("10.96.1.2"), 30001, 30002),
        pods=pods,
        pod_problems={},
        machine_problems={},
        addresses=addresses,
        answers=_as_expected(inventory, macvlan, addresses),
        questions=(),
        facts={node.name: NodeFacts(node.name, (), (), {}, (), {}, {}) for node in inventory.nodes},
        names={},
        replacement=Problem("not tried"),
        findings={},
    )


def _pair(evidence: Evidence, label: str) -> Pair:
    return next(pair for pair in pairs(evidence.inventory) if pair.label == label)


def test_when_all_is_as_expected_no_cell_fails(healthy: Evidence) -> None:
    assert [judge(healthy, pair) for pair in pairs(healthy.inventory) if judge(healthy, pair)] == []
    assert not {"NO", "YES", "NOT", "ANSWERS"} & set(matrix_table(healthy).split())


def test_each_answer_matters(healthy: Evidence) -> None:
    """Turn every single answer round: the cell it belongs to must fail, whatever is expected."""
    by_key = {
        (pair.sender, f"{pair.target}:{protocol}"): pair
        for pair in pairs(healthy.inventory)
        for protocol in pair.target.protocols
    }
    for key, answer in healthy.answers.items():
        turned = Answer(not answer.answered, answer.body or "1.2.3.4:5", "i/o timeout")
        changed = replace(healthy, answers={**healthy.answers, key: turned})
        assert judge(changed, by_key[key]), key


def test_a_failing_cell_shows_its_row_and_the_cause(healthy: Evidence) -> None:
    cause = f"FORWARD policy is DROP on {NODE1}"
    pair = _pair(healthy, "pod.k8s-node2-to-pod.k8s-node1")
    broken = replace(
        healthy,
        answers={**healthy.answers, (pair.sender, "pod.k8s-node1:udp"): Answer(False, error="i/o timeout")},
        findings={NODE1: (Finding(NODE1, Topic.FORWARDING, cause),)},
    )
    said = cell_failure(broken, pair, judge(broken, pair)).splitlines()
    assert said[0] == "pod.k8s-node2 to pod.k8s-node1 (172.31.6.2): not as expected (pod-to-pod-other-node)"
    assert said[1] == "  udp: no answer: i/o timeout"
    assert "NO udp" in said[4]
    assert said[-1] == f"cause: {cause}"


def test_a_cause_on_another_node_is_told_as_such(healthy: Evidence) -> None:
    finding = Finding("k8s-master1", Topic.FORWARDING, "FORWARD policy is DROP on k8s-master1")
    broken = replace(healthy, findings={"k8s-master1": (finding,)})
    said = cell_failure(broken, _pair(healthy, "pod.k8s-node2-to-pod.k8s-node1"), ("tcp: no answer",))
    assert said.endswith("elsewhere: FORWARD policy is DROP on k8s-master1")


def test_without_a_known_cause_it_says_what_was_looked_at(healthy: Evidence) -> None:
    said = cell_failure(healthy, _pair(healthy, "lan-host-to-pod.k8s-node1"), ("tcp: no answer",))
    assert said.endswith(
        "no known cause: forwarding, kube-proxy, devices and routes on k8s-node1 are as expected"
    )


def test_a_pod_that_never_started_fails_its_row_and_column(healthy: Evidence) -> None:
    why = Problem("pod probe-k8s-node1 on k8s-node1 is not Ready after 180 s: Pending (ContainerCreating)")
    role = role_of(Endpoint(EndpointKind.POD, NODE1))
    pods = {name: pod for name, pod in healthy.pods.items() if name != role}
    broken = replace(healthy, pods=pods, pod_problems={role: why})
    failing = [pair for pair in pairs(healthy.inventory) if judge(broken, pair)]
    concerned = [
        pair
        for pair in pairs(healthy.inventory)
        if Endpoint(EndpointKind.POD, NODE1) in (pair.sender, pair.target)
    ]
    assert failing == concerned
    assert judge(broken, failing[0]) == (f"could not be tried: {why}",)


def test_a_silent_cluster_fails_every_pod_and_no_node(healthy: Evidence) -> None:
    broken = replace(healthy, pods={}, service=Problem("the API server 172.31.7.101: no route to host"))
    for pair in pairs(healthy.inventory):
        has_pod = EndpointKind.POD in (pair.sender.kind, pair.target.kind)
        assert bool(judge(broken, pair)) == has_pod, pair.label


def test_a_node_that_cannot_be_asked_is_a_cause(healthy: Evidence) -> None:
    gone = Problem("commands on k8s-node1 failed: Connection refused")
    broken = replace(healthy, facts={**healthy.facts, NODE1: gone})
    said = cell_failure(broken, _pair(healthy, "lan-host-to-pod.k8s-node1"), ("tcp: no answer",))
    assert f"cause: {NODE1} cannot be asked: {gone}" in said
