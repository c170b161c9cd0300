"""What a capture shows of one packet: its sightings, answers, errors about it, unanswered ARP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from lab.packets.capture import Seen
from lab.packets.capture_format import CookedHeader, Direction, LinkType
from lab.packets.headers import Arp, Header, Icmp, Tcp, headers_of
from lab.packets.protocols import Protocol
from lab.packets.sightings import MatchedBy, Recognizer, Sighting, Way

_UNREACHABLE, _NO_PORT = 3, 3
ARP = 0x0806


@dataclass(frozen=True)
class Observed:
    """From the frames of all places, numbered as in the capture file that has them all."""

    sightings: Sequence[tuple[Way, Sighting]]
    errors: Sequence[tuple[Header, ...]]
    """The headers of each ICMP error about the packet, from the first place that saw it."""
    questions: Sequence[Arp]
    refused: bool
    """The target said that nobody listens there."""

    @property
    def refused_by_error(self) -> bool:
        """It said so by ICMP, and not by an answer of the protocol."""
        return self.refused and not self.of_way(Way.REPLY)

    @classmethod
    def of(
        cls,
        frames: Sequence[Seen],
        protocol: Protocol,
        token: bytes,
        target: tuple[IPv4Address, int],
        sender: str,
    ) -> Observed:
        """`target`: address and port that the sender asks; `sender`: its place."""
        recognizer = Recognizer(protocol, token, target)
        for seen in frames:
            if seen.spot.name == sender and recognizer.may_teach(seen.frame.data):
                recognizer.learn(headers_of(seen.link_type, seen.frame))
        for seen in frames:  # requests first: clocks differ, so an answer may stand before its request
            if recognizer.may_be_ours(seen.frame.data):
                recognizer.recognize(headers_of(seen.link_type, seen.frame), seen.frame.data)
        found: list[tuple[Way, Sighting]] = []
        for number, seen in enumerate(frames, start=1):
            if recognizer.may_be_ours(seen.frame.data):
                headers = headers_of(seen.link_type, seen.frame)
                ours = recognizer.recognize(headers, seen.frame.data)
                if ours is not None:
                    found.append((ours[0], _sighting(seen, headers, number, ours[1])))
        errors = {sighting.headers: None for way, sighting in found if way is Way.ERROR}
        arps = {arp: None for seen in frames for arp in _arps(seen)}
        refused = any(_refuses(way, sighting) for way, sighting in found)
        return cls(found, tuple(errors), tuple(arps), refused)

    def of_way(self, way: Way) -> list[Sighting]:
        return [sighting for which, sighting in self.sightings if which is way]

    def unanswered(self) -> list[Arp]:
        """Questions for addresses that nobody claimed."""
        claimed = {arp.sender for arp in self.questions if not arp.asks}
        return [arp for arp in self.questions if arp.asks and arp.target not in claimed]


def _arps(seen: Seen) -> list[Arp]:
    if seen.link_type == LinkType.SLL2 and CookedHeader.of(seen.frame).protocol != ARP:
        return []
    return [header for header in headers_of(seen.link_type, seen.frame) if isinstance(header, Arp)]


def _sighting(seen: Seen, headers: tuple[Header, ...], number: int, matched_by: MatchedBy) -> Sighting:
    out = False
    if seen.link_type == LinkType.SLL2:
        out = CookedHeader.of(seen.frame).direction == Direction.OUT
    return Sighting(
        seen.spot.name, seen.device, out, headers, seen.frame.time, seen.number, number, matched_by
    )


def _refuses(way: Way, sighting: Sighting) -> bool:
    last = sighting.headers[-1]
    if way is Way.REPLY:
        return isinstance(last, Tcp) and "R" in last.flags
    no_port = isinstance(last, Icmp) and (last.type, last.code) == (_UNREACHABLE, _NO_PORT)
    return way is Way.ERROR and no_port
