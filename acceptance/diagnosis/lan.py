"""What the LAN host found out by ARP: who answers for an address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from acceptance.arp import ArpAnswers
from acceptance.inventory import AddressRange
from acceptance.problems import Problem


@dataclass(frozen=True)
class Claim:
    """Who may answer for the address of a pod."""

    pod: str
    node: str
    address: IPv4Address
    macs: frozenset[str] | None
    """The pod's own and its node's; None when the node did not tell those of its pods."""


def gateway(answers: ArpAnswers | Problem, address: IPv4Address) -> list[str]:
    """Does the underlay's gateway answer?"""
    if isinstance(answers, Problem):
        return [f"the LAN host could not ask by ARP: {answers}"]
    if address in answers and not answers[address]:
        return [
            f"the gateway {address} of the underlay is silent: it answers no ARP request,"
            " so nothing leaves the underlay through it"
        ]
    return []


def duplicates(answers: ArpAnswers | Problem, claims: Sequence[Claim]) -> list[str]:
    """Is anybody on the LAN that answers for a pod and is neither the pod nor its node?"""
    if isinstance(answers, Problem):
        return [f"the LAN host could not ask by ARP: {answers}"]
    return [
        f"the address {claim.address} of pod {claim.pod} on {claim.node} is there twice on the LAN:"
        f" {' and '.join(sorted(strangers))} answers for it too, which is neither the pod nor its node"
        for claim in claims
        if claim.macs is not None and (strangers := answers.get(claim.address, frozenset()) - claim.macs)
    ]


def unjudged(claims: Sequence[Claim]) -> list[str]:
    """Whose address may be there twice without anybody knowing."""
    return [
        f"who answers for the address {claim.address} of pod {claim.pod} is not judged:"
        f" {claim.node} did not tell the pod's MAC address"
        for claim in claims
        if claim.macs is None
    ]


def strangers(answers: ArpAnswers | Problem, pods: AddressRange | None, known: frozenset[str]) -> list[str]:
    """Is there a machine that answers for several addresses of the pods' range and is none of the lab's?

    A pod has one address. Where a pod did not start, this is how its address is known to be taken.
    """
    if isinstance(answers, Problem) or pods is None:
        return []
    counts = Counter(mac for address, macs in answers.items() if address in pods for mac in macs - known)
    return [
        f"a machine of the LAN ({mac}), which is no node, answers for {count} addresses"
        f" of the pods' range {pods}"
        for mac, count in sorted(counts.items())
        if count > 1
    ]


def lan_causes(
    answers: ArpAnswers | Problem | None, address: IPv4Address | None, claims: Sequence[Claim]
) -> tuple[str, ...]:
    """All that is known to be wrong on the LAN; nothing when nobody was there to ask."""
    if answers is None or address is None or isinstance(answers, Problem):
        return ()
    return (*gateway(answers, address), *duplicates(answers, claims))
