"""Which addresses of the underlay belong to whom: what the LAN host asks for by ARP, and who may answer."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from acceptance.arp import ArpQuestion
from acceptance.diagnosis.lan import Claim, lan_causes, strangers
from acceptance.diagnosis.subject import PlacedPod
from acceptance.evidence import Evidence, placed_pods
from acceptance.inventory import AddressRange
from acceptance.node_facts import NodeFacts


def gateway_of(evidence: Evidence) -> IPv4Address | None:
    """The underlay's gateway; None without an underlay or without a LAN host to ask from."""
    underlay = evidence.inventory.network_with_role("underlay")
    if underlay is None or evidence.inventory.lan_host is None:
        return None
    return underlay.host_address.ip


def arp_question(evidence: Evidence) -> ArpQuestion | None:
    """The gateway, and every pod of the suite that has an address of the underlay."""
    gateway, lan_host = gateway_of(evidence), evidence.inventory.lan_host
    if gateway is None or lan_host is None:
        return None
    targets = (gateway, *(claim.address for claim in claims(evidence)), *_range_of_missing_pods(evidence))
    return ArpQuestion(lan_host.enter, lan_host.address, targets)


def claims(evidence: Evidence) -> tuple[Claim, ...]:
    """Of every pod of the suite that has an address of the underlay."""
    underlay = evidence.inventory.network_with_role("underlay")
    found = []
    for pod in placed_pods(evidence):
        if underlay is None or pod.address not in underlay.cidr:
            continue
        found.append(Claim(pod.name, pod.node, pod.address, _macs(evidence, pod)))
    return tuple(found)


def _macs(evidence: Evidence, pod: PlacedPod) -> frozenset[str] | None:
    facts = evidence.last_facts(pod.node)
    links = facts.pod_links.get(pod.name) if isinstance(facts, NodeFacts) else None
    if links is None:
        return None
    nics = evidence.inventory.node(pod.node).nics
    return frozenset(link.mac for link in links).union(nic.mac for nic in nics)


def _range_of_missing_pods(evidence: Evidence) -> Iterator[IPv4Address]:
    """All addresses of the pods' range on the LAN, when a pod that was to have one did not start."""
    pods = pods_range(evidence)
    if pods is not None and evidence.pod_problems:
        yield from map(IPv4Address, range(int(pods.first), int(pods.last) + 1))


def pods_range(evidence: Evidence) -> AddressRange | None:
    """Where pods have addresses of the underlay, the range that these are from."""
    underlay = evidence.inventory.network_with_role("underlay")
    on_the_lan = any(group.pods.addresses.startswith("underlay") for group in evidence.expectations.groups)
    return underlay.pod_range if underlay is not None and on_the_lan else None


def strangers_on_the_lan(evidence: Evidence) -> list[str]:
    """Machines of the LAN that have the pods' addresses and are none of the lab's."""
    if evidence.arp is None:
        return []
    nodes = {nic.mac for node in evidence.inventory.nodes for nic in node.nics}
    known = nodes.union(*(claim.macs or () for claim in claims(evidence)))
    return strangers(evidence.arp, pods_range(evidence), frozenset(known))


def causes_on_the_lan(evidence: Evidence) -> tuple[str, ...]:
    """All that is known to be wrong on the LAN, as the LAN host sees it."""
    lan = lan_causes(evidence.arp, gateway_of(evidence), claims(evidence))
    return (*lan, *strangers_on_the_lan(evidence))
