"""Faults of the LAN around the nodes."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface

from lab.faults.fault import Before, Fault, Scope, Site, needs_lan_host
from lab.foundation.process import run
from lab.host.lan_host import DEVICE, LanHost, LanMember
from lab.modes.mode import Mode
from lab.nodes.connection import Script
from lab.topology.plan import NodePlan, Plan

INTRUDER = "lan-intruder"

FORGET_NEIGHBOURS = """\
for process in $(lsns --noheadings --type net --output PID); do
  nsenter --target "$process" --net ip -4 neigh flush all || [ ! -e "/proc/$process" ]
done
"""
"""Bash: node and pods ask anew who has which address; entries that programs have made stay."""


def _intruder(site: Site) -> LanMember:
    pods = site.underlay.pod_range
    assert pods is not None, "Mode.check comes first"
    address = IPv4Interface(f"{pods.first}/{site.underlay.cidr.prefixlen}")
    return LanMember(site.enclosure, site.underlay, INTRUDER, address)


def _duplicate(site: Site, node: NodePlan, before: Before) -> None:
    intruder, pods = _intruder(site), site.underlay.pod_range
    assert pods is not None, "Mode.check comes first"
    intruder.run(("sleep", "infinity"))
    others = map(IPv4Address, range(int(pods.first) + 1, int(pods.last) + 1))
    addresses = "".join(f"address replace {address}/32 dev {DEVICE}\n" for address in others)
    run(intruder.command(["ip", "-batch", "-"]), stdin=addresses)
    _forget_neighbours(site)


def _single(site: Site, node: NodePlan, before: Before) -> None:
    _intruder(site).stop()
    _forget_neighbours(site)


def _silent(site: Site, node: NodePlan, before: Before) -> None:
    _answer_arp(site, "8")  # no answer for any address: ip-sysctl.rst
    _forget_neighbours(site)
    # Whom the gateway itself asks learns its address from the question: so it forgets everybody, and asks
    # only those whom the lab reaches through it, as it does the API server.
    run(site.enclosure.network_command(["ip", "-4", "neigh", "flush", "dev", site.underlay.bridge]))


def _answering(site: Site, node: NodePlan, before: Before) -> None:
    _answer_arp(site, before["arp_ignore"])
    _forget_neighbours(site)


def _answer_arp(site: Site, value: str) -> None:
    run(site.enclosure.network_command(["sh", "-c", f"echo {value} >{_arp_ignore(site)}"]))


def _arp_ignore_before(site: Site, node: NodePlan) -> Before:
    return {"arp_ignore": run(site.enclosure.network_command(["cat", _arp_ignore(site)])).stdout.strip()}


def _arp_ignore(site: Site) -> str:
    return f"/proc/sys/net/ipv4/conf/{site.underlay.bridge}/arp_ignore"


def _forget_neighbours(site: Site) -> None:
    forget = Script(FORGET_NEIGHBOURS, "forget the neighbours")
    site.nodes.on_each(site.plan.nodes, lambda node: site.on(node).run(forget))
    run(LanHost(site.enclosure, site.plan).command(["ip", "-4", "neigh", "flush", "all"]))


def _pods_are_not_on_the_lan(plan: Plan, mode: Mode) -> str:
    if not mode.needs_underlay:
        return "its pods have no addresses of the LAN"
    return needs_lan_host(plan, mode)


LAN_FAULTS = (
    Fault(
        "duplicate-address",
        "another machine of the LAN answers for the pods' addresses",
        _duplicate,
        _single,
        unfit=_pods_are_not_on_the_lan,
        scope=Scope.LAN,
    ),
    Fault(
        "gateway-silent",
        "the underlay's gateway answers no ARP request",
        _silent,
        _answering,
        remember=_arp_ignore_before,
        unfit=needs_lan_host,
        scope=Scope.LAN,
    ),
)
