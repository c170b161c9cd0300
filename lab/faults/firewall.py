"""Faults of a node's firewall: packets that it does not let through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lab.faults.fault import Before, Fault, Site, fits_every_mode, peer_of
from lab.modes.mode import Mode
from lab.topology.plan import NodePlan, Plan

LARGE_BYTES = 1000
"""Packets of that length and more are large ones: larger than any question of a small program."""

IPTABLES = "iptables --wait"


@dataclass(frozen=True)
class Rule:
    """A rule of the table filter that goes before all others of its chain."""

    chain: str
    match: str

    def put(self) -> str:
        return f"{IPTABLES} -C {self._words} 2>/dev/null || {IPTABLES} -I {self._words}"

    def take(self) -> str:
        return f"while {IPTABLES} -C {self._words} 2>/dev/null; do {IPTABLES} -D {self._words}; done"

    @property
    def _words(self) -> str:
        return f"{self.chain} {self.match} -j DROP"


Rules = Callable[[Site, NodePlan], Sequence[Rule]]


def _dropping(
    name: str, summary: str, rules: Rules, unfit: Callable[[Plan, Mode], str] = fits_every_mode
) -> Fault:
    def inject(site: Site, node: NodePlan, before: Before) -> None:
        site.run(node, "\n".join(rule.put() for rule in rules(site, node)), f"firewall rules of {name}")

    def clear(site: Site, node: NodePlan, before: Before) -> None:
        site.run(node, "\n".join(rule.take() for rule in rules(site, node)), f"firewall without {name}")

    return Fault(name, summary, inject, clear, unfit=unfit)


def _policy_before(site: Site, node: NodePlan) -> Before:
    listed = site.run(node, f"{IPTABLES} -S FORWARD", "read the policy of FORWARD")
    return {"policy": listed.splitlines()[0].split()[-1]}


def _drop_policy(site: Site, node: NodePlan, before: Before) -> None:
    site.run(node, f"{IPTABLES} -P FORWARD DROP", "FORWARD policy DROP")


def _former_policy(site: Site, node: NodePlan, before: Before) -> None:
    site.run(node, f"{IPTABLES} -P FORWARD {before['policy']}", "FORWARD policy as before")


def _encapsulated(site: Site, node: NodePlan) -> Sequence[Rule]:
    around, peer = site.mode.encapsulation, peer_of(node, site.plan)
    assert around is not None, "Fault.unfit comes first"
    assert peer is not None, "Fault.unfit comes first"
    return [Rule("INPUT", f"-s {peer.internal_address} {around.iptables}")]


def _not_encapsulated(plan: Plan, mode: Mode) -> str:
    if mode.encapsulation is None:
        return "its packets between nodes are not wrapped"
    return "" if len(plan.nodes) > 1 else "the topology has only one node"


def _to_pods(match: str) -> Rules:
    """What is passed on, and, where a node takes packets for its pods as its own, what comes for those."""

    def rules(site: Site, node: NodePlan) -> Sequence[Rule]:
        pods = site.plan.kubernetes.pod_cidr
        return [Rule("FORWARD", match), Rule("INPUT", f"-d {pods} {match}")]

    return rules


FIREWALL_FAULTS = (
    Fault(
        "forward-drop",
        "the policy of FORWARD is DROP on a node",
        _drop_policy,
        _former_policy,
        remember=_policy_before,
    ),
    _dropping(
        "encapsulation-dropped",
        "a node drops another node's wrapped packets: UDP 8472, or what the mode wraps them in",
        _encapsulated,
        _not_encapsulated,
    ),
    _dropping("udp-dropped", "the firewall of a node drops UDP, and only that", _to_pods("-p udp")),
    _dropping(
        "large-packets-dropped",
        f"the firewall of a node silently drops packets of {LARGE_BYTES} bytes and more",
        _to_pods(f"-m length --length {LARGE_BYTES}:65535"),
    ),
)
