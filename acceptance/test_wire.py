"""What goes over the underlay between two nodes, and how large a packet from pod to pod may be."""

from __future__ import annotations

import pytest

from acceptance.evidence import Evidence
from acceptance.expectations import Expectations, Wire
from acceptance.inventory import Node
from acceptance.matrix import Endpoint, EndpointKind
from acceptance.node_facts import NodeFacts
from acceptance.problems import Problem
from acceptance.report import causes
from acceptance.traffic import Traffic
from acceptance.wire import Host, WireSight, wrong_on_the_wire

MOST_TOLD = 30
"""Lines of one node's failure: a mode that does not wrap at all makes one of every frame."""


def _judged(evidence: Evidence) -> list[tuple[Expectations, Wire]]:
    """The groups of pods whose packets the expectations know on the wire."""
    judged = [(each, each.wire) for each in evidence.expectations.groups if each.wire is not None]
    if not judged:
        pytest.skip(f"the expectations of {evidence.expectations.mode} do not tell what is on the wire")
    return judged


def _sight(node: Node, group: str, evidence: Evidence) -> WireSight:
    seen = evidence.wire.get((node.name, group), Problem("its pod did not run, so nothing was sent"))
    if isinstance(seen, Problem):
        pytest.fail(f"the wire of {node.name} was not watched: {seen}", pytrace=False)
    pinged = {crossing.target_node for crossing in seen.crossings}
    others = [other.name for other in evidence.inventory.nodes if other != node]
    if left_out := [other for other in others if other not in pinged]:
        pytest.fail(f"nothing was sent from {node.name} to the pods of {', '.join(left_out)}", pytrace=False)
    return seen


def _pod(node: str, group: str, evidence: Evidence) -> Host:
    endpoint = Endpoint(EndpointKind.POD, node, group=group)
    facts = evidence.facts.get(node)
    links = facts.pod_links if isinstance(facts, NodeFacts) else {}
    name = next(pod.name for pod in evidence.pods.values() if pod.address == evidence.addresses[endpoint].ip)
    mac = next((link.mac for link in links.get(name, ()) if link.name == "eth0"), "")
    return Host(evidence.addresses[endpoint].ip, mac)


def _node(node: str, evidence: Evidence) -> Host:
    nic = evidence.inventory.nic(evidence.inventory.node(node), "underlay")
    assert nic is not None, "the wire was watched on this NIC"
    return Host(nic.address.ip, nic.mac)


def test_frames(node: Node, evidence: Evidence) -> None:
    """Pods' packets are on the wire as the mode says, wrapped or not, with the right MACs. Whatever else
    passed is of a kind that the mode allows."""
    traffic = Traffic.of(evidence.inventory, evidence.expectations)
    wrong: list[str] = []
    for of_group, expected in _judged(evidence):
        group, sight = of_group.group, _sight(node, of_group.group, evidence)
        for crossing in sight.crossings:
            wrong += wrong_on_the_wire(
                sight.frames,
                expected,
                (_pod(node.name, group, evidence), _pod(crossing.target_node, group, evidence)),
                (_node(node.name, evidence), _node(crossing.target_node, evidence)),
                of_group.pods.mtu,
            )
        wrong += [f"not allowed on the wire: {each}" for each in traffic.strangers(sight.frames)]
    if wrong:
        more = [f"and {len(wrong) - MOST_TOLD} more"] if len(wrong) > MOST_TOLD else []
        said = "\n".join((*wrong[:MOST_TOLD], *more))
        pytest.fail(f"on the underlay NIC of {node.name}:\n{said}", pytrace=False)


def test_largest_packet(node: Node, evidence: Evidence) -> None:
    """Unfragmented, exactly the pods' MTU comes through to the pods of other nodes, not a byte more."""
    wrong = []
    for of_group, _ in _judged(evidence):
        mtu, pod = of_group.pods.mtu, f"the {of_group.group} pod".replace("  ", " ")
        for crossing in _sight(node, of_group.group, evidence).crossings:
            if not crossing.fits:
                wrong.append(f"{mtu} bytes do not come through to {pod} of {crossing.target_node}")
            if crossing.one_more_fits:
                wrong.append(f"{mtu + 1} bytes come through to {pod} of {crossing.target_node}")
    if wrong:
        said = "\n".join(wrong)
        pytest.fail(f"from the pod of {node.name}:\n{said}\n{causes(evidence, (node.name,))}", pytrace=False)
