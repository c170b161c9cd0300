"""Ethernet frames with IPv4 in them, out of a capture file."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

FILE_HEADER, RECORD_HEADER, ETHERNET_HEADER = 24, 16, 14
LITTLE_ENDIAN = 0xA1B2C3D4
IPV4 = 0x0800
ICMP, IP_IN_IP, UDP = 1, 4, 17


@dataclass(frozen=True)
class Frame:
    """The outermost headers of one frame; `port` is UDP's destination port, None for other protocols."""

    source_mac: str
    target_mac: str
    source: IPv4Address
    target: IPv4Address
    protocol: int
    port: int | None
    length: int
    """Bytes of the IP packet."""

    def __str__(self) -> str:
        kind = {ICMP: "ICMP", IP_IN_IP: "IP in IP", UDP: f"UDP {self.port}"}
        what = kind.get(self.protocol, f"protocol {self.protocol}")
        return f"{self.source} ({self.source_mac}) > {self.target} ({self.target_mac}) {what}, {self.length}"


def read_frames(capture: bytes) -> tuple[Frame, ...]:
    """The IPv4 frames of a file in the classic pcap format, little-endian, link type Ethernet.

    Raises ValueError for another format.
    """
    if len(capture) < FILE_HEADER or struct.unpack_from("<I", capture)[0] != LITTLE_ENDIAN:
        raise ValueError("not a capture in pcap's format")
    return tuple(frame for data in _records(capture) if (frame := _frame(data)) is not None)


def _records(capture: bytes) -> Iterator[bytes]:
    at = FILE_HEADER
    while at + RECORD_HEADER <= len(capture):
        (kept,) = struct.unpack_from("<I", capture, at + 8)
        at += RECORD_HEADER
        yield capture[at : at + kept]
        at += kept


def _frame(data: bytes) -> Frame | None:
    packet = data[ETHERNET_HEADER:]
    if len(packet) < 20 or struct.unpack_from(">H", data, 12)[0] != IPV4:
        return None
    header = (packet[0] & 0x0F) * 4
    protocol = packet[9]
    with_port = protocol == UDP and len(packet) >= header + 4
    return Frame(
        source_mac=data[6:12].hex(":"),
        target_mac=data[0:6].hex(":"),
        source=IPv4Address(packet[12:16]),
        target=IPv4Address(packet[16:20]),
        protocol=protocol,
        port=struct.unpack_from(">H", packet, header + 2)[0] if with_port else None,
        length=struct.unpack_from(">H", packet, 2)[0],
    )
