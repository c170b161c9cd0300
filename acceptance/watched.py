"""On which NIC of a node the pods' packets to other nodes are looked for, and how large they may be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address

from acceptance.evidence import Evidence
from acceptance.expectations import UNKNOWN, Wire
from acceptance.inventory import Node
from acceptance.node_facts import NodeFacts


def watched_device(evidence: Evidence, node: Node, wire: Wire, targets: Iterable[IPv4Address]) -> str | None:
    """The device to watch: the NIC on the underlay, or the one that the routes to the targets end at."""
    nic = evidence.inventory.nic(node, "underlay")
    if wire.nic == "underlay":
        return nic.device if nic else None
    facts = evidence.facts.get(node.name)
    if isinstance(facts, NodeFacts):
        for target in targets:
            if (device := nic_below(facts, facts.routes.get(target))) is not None:
                return device
        if (device := facts.device_with(node.internal_address)) is not None:
            return nic_below(facts, device) or device
    return nic.device if nic else None


def nic_below(facts: NodeFacts, device: str | None) -> str | None:
    """The NIC that packets leave by which are given to the device; None when that cannot be seen.

    A tunnel without a device below it leaves by the one that has the tunnel's own address.
    """
    passed: set[str] = set()
    while device is not None and device not in passed:
        passed.add(device)
        if (link := facts.link(device)) is None:
            return None
        if not link.kind:
            return device if device != "lo" else None
        device = facts.link_under(link) or (facts.device_with(link.local) if link.local else None)
    return None


def with_seen_mtu(evidence: Evidence) -> Evidence:
    """Where nothing is known of the pod network: with the MTU that most of the suite's pods have."""
    expected = evidence.expectations
    found = Counter(
        link.mtu
        for facts in evidence.facts.values()
        if isinstance(facts, NodeFacts)
        for links in facts.pod_links.values()
        for link in links
        if link.name == "eth0"
    )
    if expected.mode != UNKNOWN or not found:
        return evidence
    pods = expected.pods.model_copy(update={"mtu": found.most_common(1)[0][0]})
    return replace(evidence, expectations=expected.model_copy(update={"pods": pods}))
