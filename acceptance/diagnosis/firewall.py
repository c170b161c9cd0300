"""What a node does not let through."""

from __future__ import annotations

import re

from acceptance.diagnosis.subject import Subject
from acceptance.node_facts import NodeFacts

OWNED = re.compile(r"KUBE-|CNI-|FLANNEL-|HYBRIDNET-|DOCKER|cali-")
"""Chains of programs that drop packets as part of what they do."""

_RULE = re.compile(r"(?P<table>\S+) -A (?P<chain>\S+) (?P<rest>.*)")
_DROPS = re.compile(r"-j (DROP|REJECT)\b")


def forwarding(facts: NodeFacts) -> list[str]:
    said = []
    for firewall in facts.firewalls:
        policy = firewall.policies.get("filter FORWARD")
        if policy == "DROP":
            said.append(
                f"FORWARD policy is DROP on {facts.node} (iptables-{firewall.variant}):"
                f" the node does not pass packets on. `iptables -P FORWARD ACCEPT` there"
            )
        for rule in firewall.rules_of("filter", "FORWARD"):
            words = rule.split()
            if words[3:] in (["-j", "DROP"], ["-j", "REJECT"]) or words[3:5] == ["-j", "REJECT"]:
                said.append(
                    f"a rule drops everything in FORWARD on {facts.node}: {rule.removeprefix('filter ')}"
                )
    if facts.sysctls.get("net.ipv4.ip_forward") == "0":
        said.append(f"net.ipv4.ip_forward is 0 on {facts.node}: the node does not pass packets on")
    return said


def dropping_rules(subject: Subject) -> list[str]:
    """Rules that drop some packets, in chains that belong to no program of the cluster."""
    said = []
    for firewall in subject.facts.firewalls:
        for rule in firewall.rules:
            found = _RULE.match(rule)
            if found is None or OWNED.match(found["chain"]) or not _DROPS.search(found["rest"]):
                continue
            what = _packets(found["rest"], subject)
            if what == "everything" and found["chain"] == "FORWARD":
                continue  # said of forwarding
            said.append(
                f"the firewall of {subject.node.name} drops {what} in {found['chain']}"
                f" (iptables-{firewall.variant}, table {found['table']}:"
                f" -A {found['chain']} {found['rest']})"
            )
    return said


def _packets(match: str, subject: Subject) -> str:
    """The packets that a rule matches, in words."""

    def option(name: str) -> str:
        found = re.search(rf"(?:^| )((?:! )?){name} (\S+)", match)
        return f"{'not ' if found[1] else ''}{found[2]}" if found else ""

    said = []
    if protocol := option("-p"):
        said.append(_PROTOCOLS.get(protocol, protocol.upper()))
    if port := option("--dport"):
        said.append(f"to port {port}")
    if length := option("--length"):
        said.append(f"packets of {_lengths(length)}")
    for option_name, word in (("-s", "from"), ("-d", "to")):
        if host := option(option_name):
            negated = host.startswith("not ")
            said.append(f"{'not ' if negated else ''}{word} {_host(host.removeprefix('not '), subject)}")
    if said and re.match(r"(not )?(from|to) ", said[0]):
        said.insert(0, "packets")
    if said:
        return " ".join(said)
    return "everything" if _DROPS.match(match) else "packets"


def _lengths(text: str) -> str:
    """What iptables' match length says: a length, or the least and the most."""
    least, _, most = text.partition(":")
    return f"{least} bytes and more" if most == "65535" else f"{text.replace(':', ' to ')} bytes"


_PROTOCOLS = {"udp": "UDP", "tcp": "TCP", "icmp": "ICMP", "ipencap": "IP in IP (protocol 4)", "4": "IP in IP"}


def _host(text: str, subject: Subject) -> str:
    """An address with the name of its node, where it is one's."""
    bare = text.removesuffix("/32")
    for node in subject.inventory.nodes:
        if bare in map(str, node.addresses):
            return f"{node.name} ({bare})"
    return bare


def reverse_path(subject: Subject) -> list[str]:
    """Does the node throw away what comes by another way than it would answer by?"""
    nic = subject.inventory.nic(subject.node, "underlay")
    devices = {subject.expectations.data_path.node_device, nic.device if nic else None}
    return [
        f"net.ipv4.conf.{device}.rp_filter is 1 (strict) on {subject.node.name}: it drops what comes in by"
        f" {device} from addresses that it would answer by another way"
        for device in sorted(filter(None, devices))
        if subject.facts.machine.rp_filter(device) == 1
    ]
