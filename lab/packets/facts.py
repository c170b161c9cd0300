"""What a network namespace says of itself: devices, addresses, counters, firewall rules, neighbours."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import Any

_SECTIONS = {
    "link": "ip -details -statistics -json link",
    "address": "ip -json address",
    "neighbour": "ip -json neigh",
    "queue": "tc -statistics -json qdisc",
    "counters": "cat /proc/net/snmp /proc/net/netstat",
    "rules": "iptables-save --counters",
    "forwarding": "cat /proc/sys/net/ipv4/ip_forward",
    "filters": "grep . /proc/sys/net/ipv4/conf/*/rp_filter",
}
FACTS_SCRIPT = (
    '"${enter[@]}" bash -c \''
    + "; ".join(f"echo == {name}; {command} 2>/dev/null" for name, command in _SECTIONS.items())
    + "'"
)
"""Prints what `NamespaceFacts.of` reads; changes nothing."""

_RULE = re.compile(r"^\[(\d+):\d+\] (-A .*)$")
_POLICY = re.compile(r"^:(\S+) (ACCEPT|DROP) \[(\d+):\d+\]$")


@dataclass(frozen=True)
class Device:
    """A network device as `ip -details link` has it."""

    name: str
    index: int
    kind: str
    """veth, bridge, vxlan, ipip, tun, macvlan ...; empty for hardware and the loopback device."""
    mac: str
    mtu: int
    up: bool
    master: str
    """The bridge it is a port of; empty for none."""
    lower: str
    """The device below it in the same namespace; empty for none, or when it is elsewhere."""
    lower_index: int
    """The index of the device at its other end or below it, in whatever namespace; 0 for none."""
    dropped: int
    """Frames that it threw away, received and sent."""
    mode: str = ""
    """Of macvlan and ipvlan: bridge, l2, l3s ..."""

    @property
    def routes_outside(self) -> bool:
        """Whether the namespace of the NIC below it routes its packets, and takes what comes for it.

        Captures in its own namespace see only what it sends: ipvlan_process_outbound and ipvlan_nf_input in
        Linux' drivers/net/ipvlan.
        """
        return self.kind == "ipvlan" and self.mode in ("l3", "l3s")


@dataclass(frozen=True)
class NamespaceFacts:
    devices: Mapping[str, Device]
    addresses: frozenset[IPv4Address]
    neighbours: Mapping[IPv4Address, str]
    """The state of each: REACHABLE, STALE, FAILED, INCOMPLETE ..."""
    queue_drops: Mapping[str, int]
    """Frames that the queueing disciplines of a device threw away."""
    counters: Mapping[str, int]
    """Of /proc/net/snmp and netstat, such as IpForwDatagrams and IpExtInNoRoutes."""
    rules: Mapping[str, int]
    """How many packets each rule and each policy of iptables has met: "filter -A FORWARD ... -j DROP"."""
    forwarding: bool
    reverse_path_filters: Mapping[str, int]

    @classmethod
    def of(cls, text: str) -> NamespaceFacts:
        """From what FACTS_SCRIPT prints. Raises ValueError when it is cut short."""
        sections = _sections(text)
        devices = _devices(json.loads(sections["link"] or "[]"))
        return cls(
            devices,
            frozenset(_addresses(json.loads(sections["address"] or "[]"))),
            {
                IPv4Address(row["dst"]): "/".join(row.get("state", []))
                for row in json.loads(sections["neighbour"] or "[]")
                if ":" not in row["dst"]
            },
            _queue_drops(json.loads(sections["queue"] or "[]")),
            _counters(sections["counters"].splitlines()),
            _rules(sections["rules"].splitlines()),
            sections["forwarding"].strip() == "1",
            {
                path.split("/")[-2]: int(value)
                for path, _, value in (line.partition(":") for line in sections["filters"].split())
            },
        )


def _sections(text: str) -> dict[str, str]:
    pieces = re.split(r"^== (\w+)\n", f"{text}\n", flags=re.MULTILINE)
    sections = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    if lacking := _SECTIONS.keys() - sections.keys():
        raise ValueError(f"what a namespace says of itself lacks {', '.join(sorted(lacking))}")
    return sections


def _devices(rows: Sequence[Mapping[str, Any]]) -> dict[str, Device]:
    """`ip` names the device below one in the same namespace, and gives the index of one elsewhere."""
    found = {device.name: device for device in map(_device, rows)}
    return {
        name: replace(device, lower_index=found[device.lower].index) if device.lower in found else device
        for name, device in found.items()
    }


def _device(row: Mapping[str, Any]) -> Device:
    statistics = row.get("stats64", {})
    return Device(
        row["ifname"],
        int(row["ifindex"]),
        str(row.get("linkinfo", {}).get("info_kind", "")),
        str(row.get("address", "")),
        int(row.get("mtu", 0)),
        "UP" in row.get("flags", []),
        str(row.get("master", "")),
        str(row.get("link") or ""),
        int(row.get("link_index") or 0),
        sum(int(statistics.get(way, {}).get("dropped", 0)) for way in ("rx", "tx")),
        str(row.get("linkinfo", {}).get("info_data", {}).get("mode", "")),
    )


def _addresses(rows: Sequence[Mapping[str, Any]]) -> list[IPv4Address]:
    return [
        IPv4Address(each["local"])
        for row in rows
        for each in row.get("addr_info", [])
        if each.get("family") == "inet"
    ]


def _queue_drops(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    drops: dict[str, int] = {}
    for row in rows:
        drops[row["dev"]] = drops.get(row["dev"], 0) + int(row.get("drops", 0))
    return drops


def _counters(lines: Sequence[str]) -> dict[str, int]:
    """Each group has a line of names and a line of numbers: https://docs.kernel.org/networking/snmp_counter.html."""
    found: dict[str, int] = {}
    for names, numbers in zip(lines[::2], lines[1::2], strict=False):
        group, *columns = names.split()
        prefix = group.removesuffix(":")
        for column, number in zip(columns, numbers.split()[1:], strict=False):
            found[f"{prefix}{column}"] = int(number)
    return found


def _rules(lines: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    table = ""
    for line in lines:
        if line.startswith("*"):
            table = line[1:]
        elif (rule := _RULE.match(line)) is not None:
            found[f"{table} {rule[2]}"] = found.get(f"{table} {rule[2]}", 0) + int(rule[1])
        elif (policy := _POLICY.match(line)) is not None:
            found[f"{table} -P {policy[1]} {policy[2]}"] = int(policy[3])
    return found
