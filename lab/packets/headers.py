"""The headers of a captured frame, from the outermost in, through tunnels; scapy takes them apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet as Layer
from scapy.packet import Padding, Raw

from lab.packets.capture_format import SLL2_LENGTH, CapturedFrame, CookedHeader, LinkType

_LEAST_IP = 20
"""Bytes of an IPv4 header without options."""
_IPV4_IN_ARP = (0x0800, 4)
"""Protocol type and address length (RFC 826)."""
_IPV6 = 40
"""Bytes of an IPv6 header."""


@dataclass(frozen=True)
class Ethernet:
    source: str
    target: str

    def __str__(self) -> str:
        return f"{self.source} > {self.target}"


@dataclass(frozen=True)
class Vlan:
    id: int

    def __str__(self) -> str:
        return f"VLAN {self.id}"


@dataclass(frozen=True)
class Arp:
    sender: IPv4Address
    target: IPv4Address
    asks: bool

    def __str__(self) -> str:
        if self.asks:
            return f"ARP: {self.sender} asks who has {self.target}"
        return f"ARP: {self.sender} tells {self.target}"


@dataclass(frozen=True)
class IPv4:
    source: IPv4Address
    target: IPv4Address
    ttl: int
    id: int
    length: int
    """Bytes, this header included."""
    dont_fragment: bool
    offset: int
    """Of a fragment, in bytes."""

    def __str__(self) -> str:
        part = f", fragment at {self.offset}" if self.offset else ""
        return f"{self.source} > {self.target}, TTL {self.ttl}{part}"


@dataclass(frozen=True)
class IPv6Header:
    source: IPv6Address
    target: IPv6Address
    ttl: int
    length: int

    def __str__(self) -> str:
        return f"{self.source} > {self.target}, hop limit {self.ttl}"


@dataclass(frozen=True)
class Udp:
    source: int
    target: int

    def __str__(self) -> str:
        return f"UDP {self.source} > {self.target}"


@dataclass(frozen=True)
class Tcp:
    source: int
    target: int
    sequence: int
    acknowledged: int
    flags: str
    """As scapy and tcpdump write them: S, SA, A, R, FA ..."""

    def __str__(self) -> str:
        return f"TCP {self.source} > {self.target} [{self.flags}]"


@dataclass(frozen=True)
class Icmp:
    type: int
    code: int
    words: str
    quoted: tuple[Header, ...] = ()
    """Of an error: the headers of the packet it is about."""

    def __str__(self) -> str:
        about = " | ".join(map(str, self.quoted))
        return f"ICMP {self.words}" + (f" about ({about})" if about else "")


@dataclass(frozen=True)
class Vxlan:
    vni: int

    def __str__(self) -> str:
        return f"VXLAN {self.vni}"


@dataclass(frozen=True)
class Other:
    words: str

    def __str__(self) -> str:
        return self.words


Header = Ethernet | Vlan | Arp | IPv4 | IPv6Header | Udp | Tcp | Icmp | Vxlan | Other


def headers_of(link_type: int, frame: CapturedFrame) -> tuple[Header, ...]:
    """From the outermost to the innermost. What a cooked header says is no header of the frame."""
    return _headers(_outermost(link_type, frame))


def _outermost(link_type: int, frame: CapturedFrame) -> Layer:
    match link_type:
        case LinkType.ETHERNET:
            return Ether(frame.data)
        case LinkType.RAW_IP:
            return _by_version(frame.data)
        case LinkType.SLL2:
            inside, protocol = frame.data[SLL2_LENGTH:], CookedHeader.of(frame).protocol
            known = {0x0800: IP, 0x0806: ARP, 0x86DD: IPv6, 0x8100: Dot1Q}
            return known.get(protocol, Raw)(inside)
    return Raw(frame.data)


def _by_version(data: bytes) -> Layer:
    return IPv6(data) if data[:1] and data[0] >> 4 == 6 else IP(data)


def _headers(layer: Layer) -> tuple[Header, ...]:
    found: list[Header] = []
    inside: Layer | None = layer
    while inside:
        if (header := _header(inside)) is None:
            break
        found.append(header)
        inside = _inside(inside)
    if not found:
        found.append(Other(f"{len(bytes(layer))} bytes of no protocol known here"))
    return tuple(found)


def _header(layer: Layer) -> Header | None:
    """None for what is no header but content."""
    if isinstance(layer, Raw | Padding):
        return None
    for kind, read in _READERS:
        if isinstance(layer, kind):
            return read(layer)
    return Other(layer.summary())


def _inside(layer: Layer) -> Layer | None:
    """What comes after the layer's header, where it can have a header of its own."""
    match layer:
        case Ether() | Dot1Q() | IPv6() | VXLAN() | IP():
            return layer.payload
        case UDP():
            whole = _whole_packet(layer)
            return whole if whole is not None or not isinstance(layer.payload, VXLAN) else layer.payload
    return None


def _ethernet(layer: Layer) -> Header:
    return Ethernet(layer.src, layer.dst)


def _vlan(layer: Layer) -> Header:
    return Vlan(layer.vlan)


def _arp(layer: Layer) -> Header:
    if (layer.ptype, layer.plen) != _IPV4_IN_ARP:
        return Other(layer.summary())
    return Arp(IPv4Address(layer.psrc), IPv4Address(layer.pdst), layer.op == 1)


def _ipv4(layer: Layer) -> Header:
    return IPv4(
        IPv4Address(layer.src),
        IPv4Address(layer.dst),
        layer.ttl,
        layer.id,
        layer.len or 0,
        bool(layer.flags.DF),
        layer.frag * 8,
    )


def _ipv6(layer: Layer) -> Header:
    addresses = IPv6Address(layer.src), IPv6Address(layer.dst)
    return IPv6Header(*addresses, layer.hlim, (layer.plen or 0) + _IPV6)


def _tcp(layer: Layer) -> Header:
    return Tcp(layer.sport, layer.dport, layer.seq, layer.ack or 0, str(layer.flags or ""))


def _udp(layer: Layer) -> Header:
    return Udp(layer.sport, layer.dport)


def _vxlan(layer: Layer) -> Header:
    return Vxlan(layer.vni)


def _icmp(layer: Layer) -> Header:
    words = str(layer.sprintf("%type% %code%")).removesuffix(" 0")
    quoted = _headers(layer.payload) if isinstance(layer.payload, IPerror) else ()
    return Icmp(layer.type, layer.code, words, quoted)


_READERS: Sequence[tuple[type[Layer], Callable[[Layer], Header]]] = (
    # scapy's classes of quoted headers, such as IPerror, are subclasses of these.
    (Ether, _ethernet),
    (Dot1Q, _vlan),
    (ARP, _arp),
    (IP, _ipv4),
    (IPv6, _ipv6),
    (TCP, _tcp),
    (UDP, _udp),
    (VXLAN, _vxlan),
    (ICMP, _icmp),
)


def _whole_packet(udp: Layer) -> Layer | None:
    """The packet that a datagram holds and nothing else, as flannel's udp backend sends them."""
    data = bytes(udp.payload)
    if len(data) < _LEAST_IP or data[0] != 0x45:
        return None
    return IP(data) if int.from_bytes(data[2:4], "big") == udp.len - 8 else None
