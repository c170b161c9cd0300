"""What `lab trace` found: the ways of one packet and of its answer, in words and in JSON.

Actions and codes follow NSX' observations of its Traceflow. Every hop names the captured frame that proves
it; what a node only says of itself is kept apart from that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address
from typing import Any

from lab.packets.headers import (
    Arp,
    Ethernet,
    Header,
    Icmp,
    IPv4,
    IPv6Header,
    Tcp,
    Udp,
    Vlan,
    Vxlan,
)
from lab.packets.protocols import Protocol
from lab.packets.reasons import Reason
from lab.packets.sightings import Flow, Way
from lab.packets.way import Chain, Hop

SCHEMA = "lab.trace/1"


class Verdict(StrEnum):
    DELIVERED = "delivered"
    """The target's own network saw it, and the sender its answer where the protocol has one."""
    NO_REPLY = "no-reply"
    """It was delivered; no answer came back to the sender."""
    REFUSED = "refused"
    """The target answered that nobody listens there."""
    ANSWERED = "answered"
    """There was an answer, although the target's own network was not seen to get the packet."""
    LOST = "lost"


@dataclass(frozen=True)
class End:
    """The sender or the target, as it was asked for."""

    kind: str
    """pod, node, service, address, lan-host or uplink."""
    name: str
    address: IPv4Address
    port: int = 0

    def __str__(self) -> str:
        where = f"{self.address}:{self.port}" if self.port else str(self.address)
        return where if self.name == str(self.address) else f"{self.name} ({where})"

    def as_json(self) -> dict[str, Any]:
        port = {"port": self.port} if self.port else {}
        return {"kind": self.kind, "name": self.name, "address": str(self.address), **port}


@dataclass(frozen=True)
class Request:
    sender: End
    target: End
    protocol: Protocol
    size: int
    """Bytes of the IP packet; of TCP's first packet as the kernel made it."""
    token: str


@dataclass(frozen=True)
class Said:
    """What a node tells of a hop; nothing was seen of that."""

    route: str = ""
    rewriting: tuple[str, ...] = ()
    """The entry of the connection, and the rules whose counters went up."""


@dataclass(frozen=True)
class Lost:
    """Where a packet was seen last, and why not any further."""

    after_hop: int
    place: str
    device: str
    """The device where it should have come next; empty when that is not known."""
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class TracedWay:
    way: Way
    chain: Chain
    lost: Lost | None = None
    said: dict[int, Said] = field(default_factory=dict)
    """By the number of the hop."""


@dataclass(frozen=True)
class Trace:
    lab: str
    mode: str
    started: str
    """UTC, ISO 8601."""
    request: Request
    verdict: Verdict
    ways: tuple[TracedWay, ...]
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        request = self.request
        return {
            "schema": SCHEMA,
            "lab": self.lab,
            "mode": self.mode,
            "started": self.started,
            "request": {
                "from": request.sender.as_json(),
                "to": request.target.as_json(),
                "protocol": request.protocol.value,
                "size": request.size,
                "token": request.token,
            },
            "verdict": self.verdict.value,
            "ways": [_way_json(way, request) for way in self.ways],
            "warnings": list(self.warnings),
        }


def changes(hops: Sequence[Hop], index: int, asked: Flow | None) -> list[tuple[str, str, str]]:
    """What the innermost packet of a hop has other than before: field, old value, new value.

    Before the first hop is what was asked for.
    """
    before = hops[index - 1].sighting.flow if index else asked
    after = hops[index].sighting.flow
    if before is None:
        return []
    pairs = [
        ("ipv4.source", before.source, after.source),
        ("ipv4.target", before.target, after.target),
        ("port.source", before.source_port, after.source_port),
        ("port.target", before.target_port, after.target_port),
    ]
    # A sender's own port, and its address before it has chosen one, are not asked for.
    open_fields = ("port.source", "ipv4.source") if not index else ()
    return [(name, str(old), str(new)) for name, old, new in pairs if old != new and name not in open_fields]


def asked_flow(request: Request) -> Flow:
    return Flow(request.sender.address, 0, request.target.address, request.target.port)


def _way_json(way: TracedWay, request: Request) -> dict[str, Any]:
    hops = way.chain.hops
    asked = asked_flow(request) if way.way is Way.REQUEST else None
    lost = way.lost
    return {
        "direction": way.way.value,
        "delivered": way.chain.delivered,
        "gaps": [hop.number for hop in way.chain.gaps],
        "hops": [
            _hop_json(hop, changes(hops, index, asked), way.said.get(hop.number))
            for index, hop in enumerate(hops)
        ],
        "lost": None
        if lost is None
        else {
            "after_hop": lost.after_hop,
            "place": lost.place,
            "expected_device": lost.device,
            "reasons": [
                {
                    "code": reason.code.value,
                    "evidence": reason.evidence,
                    "confidence": reason.confidence.value,
                }
                for reason in lost.reasons
            ],
        },
    }


def _hop_json(hop: Hop, changed: Sequence[tuple[str, str, str]], said: Said | None) -> dict[str, Any]:
    sighting = hop.sighting
    return {
        "n": hop.number,
        "place": sighting.place,
        "device": sighting.device,
        "direction": "out" if sighting.out else "in",
        "action": hop.action.value,
        "headers": [dict(_header_json(header)) for header in sighting.headers],
        "changed": [{"field": name, "from": old, "to": new} for name, old, new in changed],
        "time_ns": sighting.time,
        "seen": {"frame": sighting.frame, "matched_by": sighting.matched_by.value},
        "said": None if said is None else {"route": said.route, "rewriting": list(said.rewriting)},
    }


def _header_json(header: Header) -> Iterator[tuple[str, Any]]:
    match header:
        case Ethernet():
            yield from (("layer", "ethernet"), ("source", header.source), ("target", header.target))
        case Vlan():
            yield from (("layer", "vlan"), ("id", header.id))
        case Arp():
            yield from (("layer", "arp"), ("source", str(header.sender)), ("target", str(header.target)))
        case IPv4():
            yield from (("layer", "ipv4"), ("source", str(header.source)), ("target", str(header.target)))
            yield from (("ttl", header.ttl), ("id", header.id), ("length", header.length))
        case IPv6Header():
            yield from (("layer", "ipv6"), ("source", str(header.source)), ("target", str(header.target)))
        case Udp():
            yield from (("layer", "udp"), ("source", header.source), ("target", header.target))
        case Tcp():
            yield from (("layer", "tcp"), ("source", header.source), ("target", header.target))
            yield "flags", header.flags
        case Icmp():
            yield from (("layer", "icmp"), ("type", header.type), ("code", header.code))
        case Vxlan():
            yield from (("layer", "vxlan"), ("vni", header.vni))
        case _:
            yield from (("layer", "other"), ("words", str(header)))
