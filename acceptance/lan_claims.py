"""Which addresses of the underlay belong to whom: what the LAN host asks for by ARP, and who may answer."""

from __future__ import annotations

from ipaddress import IPv4Address

from acceptance.arp import ArpQuestion
from acceptance.diagnosis.lan import Claim, lan_causes
from acceptance.evidence import Evidence, placed_pods
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
    targets = (gateway, *(claim.address for claim in claims(evidence)))
    return ArpQuestion(lan_host.enter, lan_host.address, targets)


def claims(evidence: Evidence) -> tuple[Claim, ...]:
    """Of every pod of the suite that has an address of the underlay."""
    underlay = evidence.inventory.network_with_role("underlay")
    found = []
    for pod in placed_pods(evidence):
        if underlay is None or pod.address not in underlay.cidr:
            continue
        facts = evidence.facts.get(pod.node)
        links = facts.pod_links.get(pod.name, ()) if isinstance(facts, NodeFacts) else ()
        macs = {link.mac for link in links} | {nic.mac for nic in evidence.inventory.node(pod.node).nics}
        found.append(Claim(pod.name, pod.node, pod.address, frozenset(macs)))
    return tuple(found)


def causes_on_the_lan(evidence: Evidence) -> tuple[str, ...]:
    return lan_causes(evidence.arp, gateway_of(evidence), claims(evidence))
