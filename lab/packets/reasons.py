"""Why a packet was not seen any further: the candidates with their evidence, the surest first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address

from lab.packets.facts import Device, NamespaceFacts
from lab.packets.headers import Arp, Header, Icmp
from lab.packets.sightings import Sighting

_THROWING = re.compile(r"-j (DROP|REJECT)\b|^\S+ -P \S+ DROP$")
_NEIGHBOUR_LOST = ("FAILED", "INCOMPLETE")
_UNREACHABLE, _TOO_LARGE_CODE = 3, 4
_PROHIBITED_CODES = (9, 10, 13)
_PORT_CODE = 3
_TIME_EXCEEDED = 11
_IP_HEADER_AND_ICMP = 28


class Code(StrEnum):
    """What may have happened."""

    NO_ROUTE = "no-route"
    NO_NEIGHBOUR = "no-neighbour"
    FIREWALL = "firewall"
    REVERSE_PATH = "rp-filter"
    FORWARDING_OFF = "forwarding-off"
    MTU = "mtu"
    TTL = "ttl"
    NO_SOCKET = "no-socket"
    QUEUE = "queue"
    """The queueing discipline of a device threw it away."""
    DEVICE = "device"
    """A device is down, or is not there, or threw it away."""
    WIRE = "wire"
    NOT_SHOWN = "not-shown"
    """It may have arrived: the target's device shows to captures nothing that comes in."""
    UNKNOWN = "unknown"


class Confidence(StrEnum):
    CERTAIN = "certain"
    LIKELY = "likely"


@dataclass(frozen=True)
class Reason:
    code: Code
    evidence: str
    confidence: Confidence

    @classmethod
    def of_sender(cls, said: str) -> Reason:
        """Of a packet that left by no device; `said` is what the program printed that should have sent it."""
        for words, code in _SENDER_WORDS.items():
            if words in said.lower():
                return cls(code, said, Confidence.CERTAIN)
        return cls(Code.UNKNOWN, said or "the sender says nothing", Confidence.LIKELY)


_SENDER_WORDS = {
    "message too long": Code.MTU,
    "network is unreachable": Code.NO_ROUTE,
    "host unreachable": Code.NO_NEIGHBOUR,
    "no route to host": Code.NO_NEIGHBOUR,
    "operation not permitted": Code.FIREWALL,
}
"""What programs print for an errno: EMSGSIZE, ENETUNREACH, EHOSTUNREACH, EPERM of netfilter."""


@dataclass(frozen=True)
class Route:
    """What `ip route get` says in the namespace of the last sighting."""

    text: str
    device: str
    """Empty when there is no route."""
    next_hop: IPv4Address | None


@dataclass(frozen=True)
class Scene:
    """What is known of the namespace where the packet was seen last."""

    last: Sighting
    place: str
    before: NamespaceFacts
    after: NamespaceFacts
    route: Route | None
    expected_place: str
    """Where it should have come next; the same place while it had not left it."""
    expected_device: str
    """Empty when it is not known."""
    expected_before: NamespaceFacts | None = None
    expected_after: NamespaceFacts | None = None


def reasons_for(scene: Scene, errors: Sequence[tuple[Header, ...]], asked: Sequence[Arp]) -> list[Reason]:
    """Never empty. `errors`: headers of ICMP errors about it; `asked`: ARP questions nobody answered."""
    found = [
        *_of_errors(errors),
        *_of_settings(scene),
        *_of_rules(scene),
        *_of_routes(scene),
        *_of_neighbours(scene, asked),
        *_of_devices(scene),
    ]
    found.sort(key=lambda reason: reason.confidence is not Confidence.CERTAIN)
    unique = list({(reason.code, reason.evidence): reason for reason in found}.values())
    return unique or [
        Reason(Code.UNKNOWN, "no counter, rule, route or neighbour tells of it", Confidence.LIKELY)
    ]


def _of_errors(errors: Sequence[tuple[Header, ...]]) -> Iterator[Reason]:
    for headers in errors:
        error = headers[-1]
        if not isinstance(error, Icmp):
            continue
        code = Code.NO_ROUTE
        if error.type == _TIME_EXCEEDED:
            code = Code.TTL
        elif error.code == _TOO_LARGE_CODE:
            code = Code.MTU
        elif error.code in _PROHIBITED_CODES:
            code = Code.FIREWALL
        elif error.code == _PORT_CODE:
            code = Code.NO_SOCKET
        elif error.code == 1:
            # What Linux says when nobody answered its ARP (RFC 1122, 3.2.2.1), and of an unreachable route.
            code = Code.NO_NEIGHBOUR
        yield Reason(code, f"{' | '.join(map(str, headers))}", Confidence.CERTAIN)


def _of_settings(scene: Scene) -> Iterator[Reason]:
    arrived_for_others = not scene.last.out and scene.last.innermost.target not in scene.after.addresses
    if arrived_for_others and not scene.after.forwarding:
        yield Reason(Code.FORWARDING_OFF, f"net.ipv4.ip_forward is 0 in {scene.place}", Confidence.CERTAIN)
    for place, before, after in _namespaces(scene):
        if (more := _grown(before, after, "IpExtIPReversePathFilter", "TcpExtIPReversePathFilter")) > 0:
            strict = [name for name, value in after.reverse_path_filters.items() if value == 1]
            on = f", rp_filter is 1 on {', '.join(strict)}" if strict else ""
            yield Reason(Code.REVERSE_PATH, f"IPReversePathFilter of {place} +{more}{on}", Confidence.CERTAIN)


def _of_rules(scene: Scene) -> Iterator[Reason]:
    for place, before, after in _namespaces(scene):
        for rule, packets in after.rules.items():
            more = packets - before.rules.get(rule, 0)
            if more > 0 and _THROWING.search(rule):
                yield Reason(Code.FIREWALL, f"{rule} of {place} +{more}", Confidence.LIKELY)


def _of_routes(scene: Scene) -> Iterator[Reason]:
    if scene.route is not None and not scene.route.device:
        yield Reason(Code.NO_ROUTE, f"ip route get in {scene.place}: {scene.route.text}", Confidence.CERTAIN)
    for place, before, after in _namespaces(scene):
        for counter in ("IpExtInNoRoutes", "IpOutNoRoutes", "IpInAddrErrors"):
            if (more := _grown(before, after, counter)) > 0:
                yield Reason(Code.NO_ROUTE, f"{counter} of {place} +{more}", Confidence.LIKELY)


def _of_neighbours(scene: Scene, asked: Sequence[Arp]) -> Iterator[Reason]:
    wanted = scene.route.next_hop if scene.route is not None else None
    for address, state in scene.after.neighbours.items():
        lost = any(word in state for word in _NEIGHBOUR_LOST)
        if lost and address in (wanted, scene.last.innermost.target):
            yield Reason(Code.NO_NEIGHBOUR, f"{address} is {state} in {scene.place}", Confidence.CERTAIN)
    for question in asked:
        if question.target in (wanted, scene.last.innermost.target):
            yield Reason(Code.NO_NEIGHBOUR, f"{question}, and nobody answers", Confidence.LIKELY)


def _of_devices(scene: Scene) -> Iterator[Reason]:
    """Of the device where it should have come next; where that is not known, of all that dropped frames."""
    before, after = scene.expected_before or scene.before, scene.expected_after or scene.after
    device = after.devices.get(scene.expected_device)
    for each in after.devices.values() if device is None else (device,):
        yield from _thrown_away(scene.expected_place, each, before, after)
    if device is None:
        return
    where = f"{scene.expected_place}/{device.name}"
    if not device.up:
        yield Reason(Code.DEVICE, f"{where} is down", Confidence.CERTAIN)
    if scene.last.innermost.length > device.mtu and scene.last.innermost.dont_fragment:
        said = f"the packet has {scene.last.innermost.length} bytes, {where} takes {device.mtu}"
        yield Reason(Code.MTU, said, Confidence.LIKELY)
    if scene.last.out and scene.expected_place != scene.place:
        yield Reason(Code.WIRE, f"it left {scene.last.place} and did not come to {where}", Confidence.LIKELY)


def _thrown_away(
    place: str, device: Device, before: NamespaceFacts, after: NamespaceFacts
) -> Iterator[Reason]:
    where = f"{place}/{device.name}"
    if (more := after.queue_drops.get(device.name, 0) - before.queue_drops.get(device.name, 0)) > 0:
        yield Reason(Code.QUEUE, f"the queue of {where} threw away {more}", Confidence.LIKELY)
    known = before.devices.get(device.name)
    if known is not None and device.dropped > known.dropped:
        said = f"{where} threw away {device.dropped - known.dropped}"
        yield Reason(Code.DEVICE, said, Confidence.LIKELY)


def _namespaces(scene: Scene) -> Iterator[tuple[str, NamespaceFacts, NamespaceFacts]]:
    yield scene.place, scene.before, scene.after
    if scene.expected_before is not None and scene.expected_after is not None:
        yield scene.expected_place, scene.expected_before, scene.expected_after


def _grown(before: NamespaceFacts, after: NamespaceFacts, *counters: str) -> int:
    return sum(after.counters.get(name, 0) - before.counters.get(name, 0) for name in counters)
