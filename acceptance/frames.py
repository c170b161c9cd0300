"""Frames out of a capture, as deep as the headers inside a tunnel; scapy takes them apart."""

from __future__ import annotations

import io
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address

from scapy.error import Scapy_Exception
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, Dot3, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet as Layer
from scapy.utils import rdpcap

IPV4_OVER_ETHERNET = (1, 0x0800)
"""ARP's hardware and protocol type (RFC 826)."""
ICMP6 = 58
VXLAN_PORTS = (4789, 8472)
"""IANA's (RFC 7348), and the one that Linux took before there was one."""
FLANNEL_UDP_PORT = 8285
"""The default of flannel's udp backend, whose datagrams hold an IP packet and nothing else."""


class Tunnel(StrEnum):
    """What goes around a packet."""

    VXLAN = "vxlan"
    UDP = "udp"
    """UDP, and nothing between it and the packet."""
    IPIP = "ipip"


@dataclass(frozen=True)
class Arp:
    """ARP for IPv4: who says or asks it, and about whom."""

    sender: IPv4Address
    target: IPv4Address

    def __str__(self) -> str:
        return f"{self.sender} > {self.target} ARP"


@dataclass(frozen=True)
class Icmp6:
    """ICMP of IPv6, of that type."""

    type: int
    words: str

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True)
class Other:
    """Neither IPv4 nor ARP nor ICMP of IPv6, or too damaged to tell."""

    words: str

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True)
class Packet:
    """An IPv4 packet."""

    source: IPv4Address
    target: IPv4Address
    protocol: int
    words: str
    """Its protocol: "UDP 40000 to 8472"."""
    length: int
    """Bytes, this header included, as the header says."""
    ports: tuple[int, int] | None = None
    """Source and destination port of TCP and UDP; None for other protocols and in later fragments."""
    tunnel: Tunnel | None = None
    inside: Content | None = None
    """What the tunnel carries; None where there is no tunnel."""

    @property
    def port(self) -> int | None:
        """The destination port."""
        return self.ports[1] if self.ports is not None else None

    def __str__(self) -> str:
        around = f", {self.tunnel} around {self.inside}" if self.tunnel is not None else ""
        return f"{self.source} > {self.target} {self.words}, {self.length} bytes{around}"


Content = Packet | Arp | Icmp6 | Other


@dataclass(frozen=True)
class Frame:
    """One frame of the capture."""

    source_mac: str
    target_mac: str
    content: Content

    def __str__(self) -> str:
        return f"{self.content} ({self.source_mac} > {self.target_mac})"


def read_frames(capture: bytes) -> tuple[Frame, ...]:
    """All frames of a capture file of Ethernet. Raises ValueError for another file."""
    try:
        return tuple(_frame(layer) for layer in rdpcap(io.BytesIO(capture)))
    except (Scapy_Exception, EOFError) as error:
        raise ValueError(f"not a capture: {error}") from error


def _frame(layer: Layer) -> Frame:
    match layer:
        case Ether():
            return Frame(layer.src, layer.dst, _content(layer.payload))
        case Dot3():  # a length in place of a type (IEEE 802.3), as spanning tree has it
            return Frame(layer.src, layer.dst, Other(layer.summary()))
    raise ValueError(f"a capture with something else than Ethernet: {layer.summary()}")


def _content(layer: Layer) -> Content:
    match layer:
        case IP():
            return _packet(layer)
        case ARP() if (layer.hwtype, layer.ptype) == IPV4_OVER_ETHERNET:
            return Arp(IPv4Address(layer.psrc), IPv4Address(layer.pdst))
        case IPv6():
            last = layer[IPv6ExtHdrHopByHop] if isinstance(layer.payload, IPv6ExtHdrHopByHop) else layer
            if last.nh == ICMP6 and "type" in last.payload.fields:
                return Icmp6(last.payload.type, layer.summary())
    return Other(layer.summary() or "nothing that could be read")


def _packet(header: IP) -> Packet:
    tunnel, inside = _tunnel(header)
    within = header.payload
    ports = (within.sport, within.dport) if isinstance(within, TCP | UDP) else None
    return Packet(
        IPv4Address(header.src),
        IPv4Address(header.dst),
        header.proto,
        _protocol(header),
        header.len,
        ports,
        tunnel,
        _content(inside) if inside is not None else None,
    )


def _tunnel(header: IP) -> tuple[Tunnel | None, Layer | None]:
    """The tunnel that this header begins, and what it carries."""
    within = header.payload
    if isinstance(within, IP):
        return Tunnel.IPIP, within
    if not isinstance(within, UDP):
        return None, None
    if within.dport in VXLAN_PORTS and isinstance(within.payload, VXLAN):
        return Tunnel.VXLAN, within.payload.payload.payload
    if within.dport == FLANNEL_UDP_PORT:
        return Tunnel.UDP, IP(bytes(within.payload))
    return None, None


def _protocol(header: IP) -> str:
    fragment = " in fragments" if header.flags.MF or header.frag else ""
    match header.payload:
        case TCP() | UDP() as within:
            return f"{within.name} {within.sport} to {within.dport}{fragment}"
        case ICMP() as icmp:
            return f"ICMP {icmp.sprintf('%type%')}{fragment}"
    return f"{header.sprintf('%proto%').upper()}{fragment}"
