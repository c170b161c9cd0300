"""One packet, seen on one device: whose packet a captured frame is, and what its headers say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address

from lab.packets.headers import Header, Icmp, IPv4, Tcp, Udp
from lab.packets.protocols import Protocol

ICMP_REQUEST, ICMP_REPLY = 8, 0
_RESET = "R"


class Way(StrEnum):
    """What a sighting is part of."""

    REQUEST = "request"
    REPLY = "reply"
    ERROR = "error"
    """An ICMP error about the request or the reply."""


class MatchedBy(StrEnum):
    """How it is known whose packet a frame is."""

    CONTENT = "token"
    """The token is in it."""
    SEQUENCE = "tcp-seq"
    PORTS = "ports"
    """The addresses and ports of a request that was seen, reversed."""
    QUOTED = "quoted-header"


@dataclass(frozen=True)
class Flow:
    """The innermost addresses, and the ports of TCP and UDP (0 for others)."""

    source: IPv4Address
    source_port: int
    target: IPv4Address
    target_port: int

    @property
    def reversed(self) -> Flow:
        return Flow(self.target, self.target_port, self.source, self.source_port)

    def __str__(self) -> str:
        return f"{_end(self.source, self.source_port)} > {_end(self.target, self.target_port)}"


def _end(address: IPv4Address, port: int) -> str:
    return f"{address}:{port}" if port else str(address)


@dataclass(frozen=True)
class Sighting:
    """A frame of the packet on a device."""

    place: str
    """The network namespace: k8s-node1, default/web-0, lab-host, lan-host."""
    device: str
    out: bool
    """It left by the device; else it came in."""
    headers: tuple[Header, ...]
    time: int
    """Nanoseconds, by the clock of the place's machine."""
    order: int
    """Of arrival, among all frames of the place."""
    frame: int
    """Its number in the capture file, from 1 on."""
    matched_by: MatchedBy

    @property
    def depth(self) -> int:
        """How many IP headers it has."""
        return sum(isinstance(header, IPv4) for header in self.headers)

    @property
    def outermost(self) -> IPv4:
        return next(header for header in self.headers if isinstance(header, IPv4))

    @property
    def innermost(self) -> IPv4:
        return next(header for header in reversed(self.headers) if isinstance(header, IPv4))

    @property
    def flow(self) -> Flow:
        found = flow_of(self.headers)
        assert found is not None
        return found


def flow_of(headers: tuple[Header, ...]) -> Flow | None:
    """None for what is not IPv4."""
    addresses = next((header for header in reversed(headers) if isinstance(header, IPv4)), None)
    if addresses is None:
        return None
    last = headers[-1]
    ports = (last.source, last.target) if isinstance(last, Udp | Tcp) else (0, 0)
    return Flow(addresses.source, ports[0], addresses.target, ports[1])


class Recognizer:
    """Tells the frames of one probe, of its answer and of errors about them.

    What it has recognized helps with what comes later: answers are known by their requests.
    """

    def __init__(self, protocol: Protocol, token: bytes, target: tuple[IPv4Address, int]) -> None:
        """`target` is asked by the sender; a Service's address is replaced on the way."""
        self._protocol = protocol
        self._token = token
        self._target = target
        self._sequence: int | None = None
        self._requests: set[Flow] = set()
        self._marks = [token, token.hex().encode()]
        """One of them is in every frame that can be ours."""

    def may_teach(self, data: bytes) -> bool:
        """Whether `learn` could learn from the frame; cheap, where taking frames apart is not."""
        address, port = self._target
        return self._protocol is Protocol.TCP and address.packed in data and port.to_bytes(2) in data

    def may_be_ours(self, data: bytes) -> bool:
        """Whether `recognize` could know the frame; cheap too."""
        return any(mark in data for mark in self._marks)

    def learn(self, headers: tuple[Header, ...]) -> None:
        """From a frame of the sender's place: TCP's first packet has no content, its number is the token."""
        last, flow = headers[-1], flow_of(headers)
        if self._protocol is not Protocol.TCP or self._sequence is not None or not isinstance(last, Tcp):
            return
        if flow is not None and last.flags == "S" and (flow.target, flow.target_port) == self._target:
            self._sequence = last.sequence
            self._marks += [number.to_bytes(4) for number in (last.sequence, (last.sequence + 1) % 2**32)]

    def recognize(self, headers: tuple[Header, ...], data: bytes) -> tuple[Way, MatchedBy] | None:
        """None for the frame of another packet."""
        last, flow = headers[-1], flow_of(headers)
        if flow is None:
            return None
        if isinstance(last, Icmp) and last.quoted:
            return self._of_error(last, data)
        match self._protocol:
            case Protocol.ICMP:
                return self._of_icmp(last, data)
            case Protocol.UDP:
                return self._of_udp(last, flow, data)
            case Protocol.TCP:
                return self._of_tcp(last, flow)

    def _of_icmp(self, last: Header, data: bytes) -> tuple[Way, MatchedBy] | None:
        if isinstance(last, Icmp) and self._token in data:
            ways = {ICMP_REQUEST: Way.REQUEST, ICMP_REPLY: Way.REPLY}
            return (ways[last.type], MatchedBy.CONTENT) if last.type in ways else None
        return None

    def _of_udp(self, last: Header, flow: Flow, data: bytes) -> tuple[Way, MatchedBy] | None:
        if not isinstance(last, Udp):
            return None
        if flow.reversed in self._requests:
            return Way.REPLY, MatchedBy.PORTS
        if self._token.hex().encode() in data:
            if flow not in self._requests:
                self._requests.add(flow)
                self._marks.append(flow.target_port.to_bytes(2) + flow.source_port.to_bytes(2))
            return Way.REQUEST, MatchedBy.CONTENT
        return None

    def _of_tcp(self, last: Header, flow: Flow) -> tuple[Way, MatchedBy] | None:
        if not isinstance(last, Tcp) or self._sequence is None:
            return None
        if last.flags == "S" and last.sequence == self._sequence:
            self._requests.add(flow)
            return Way.REQUEST, MatchedBy.SEQUENCE
        answers = last.flags == "SA" or _RESET in last.flags
        if answers and last.acknowledged == (self._sequence + 1) % 2**32:
            return Way.REPLY, MatchedBy.SEQUENCE
        return None

    def _of_error(self, error: Icmp, data: bytes) -> tuple[Way, MatchedBy] | None:
        quoted = flow_of(error.quoted)
        inner = error.quoted[-1]
        ours = (
            self._token in data
            or self._token.hex().encode() in data
            or quoted in self._requests
            or (isinstance(inner, Tcp) and self._sequence is not None and inner.sequence == self._sequence)
        )
        return (Way.ERROR, MatchedBy.QUOTED) if ours else None
