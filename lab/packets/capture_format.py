"""Capture files: reading what tcpdump writes, writing pcapng with an interface for each device.

Formats: https://datatracker.ietf.org/doc/html/draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng; link
types: https://www.tcpdump.org/linktypes.html.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import BinaryIO

_MICROSECONDS, _NANOSECONDS = 0xA1B2C3D4, 0xA1B23C4D
_FILE_HEADER, _RECORD_HEADER = 24, 16
_SLL2 = struct.Struct("!HHIHBB8s")
SLL2_LENGTH = _SLL2.size
"""Bytes of the cooked header."""


class LinkType(IntEnum):
    """What a captured frame begins with."""

    ETHERNET = 1
    RAW_IP = 101
    SLL2 = 276
    """Linux' cooked header with the index of the device; tcpdump -i any."""


class Direction(IntEnum):
    """Where a frame was going, as Linux counts it (packet(7), sll_pkttype)."""

    TO_US = 0
    BROADCAST = 1
    MULTICAST = 2
    TO_ANOTHER = 3
    """Seen only because the device takes what is for others too."""
    OUT = 4


@dataclass(frozen=True)
class CapturedFrame:
    """One frame of a capture."""

    time: int
    """Nanoseconds since 1970, by the clock of the machine that captured it."""
    data: bytes
    """From the link type's header on; at most as much as was asked for."""
    length: int
    """Bytes that the frame had."""


@dataclass(frozen=True)
class CookedHeader:
    """The header of LinkType.SLL2."""

    protocol: int
    """An EtherType."""
    device_index: int
    direction: int
    address: str
    """The sender's hardware address; empty where the device has none."""

    @classmethod
    def of(cls, frame: CapturedFrame) -> CookedHeader:
        """Raises ValueError when the frame is too short for it."""
        try:
            protocol, _, index, _, direction, length, address = _SLL2.unpack_from(frame.data)
        except struct.error as error:
            raise ValueError(f"a frame of {len(frame.data)} bytes has no cooked header") from error
        return cls(protocol, index, direction, address[:length].hex(":") if length == 6 else "")


class CaptureReader:
    """The frames of a capture that comes through a pipe."""

    def __init__(self, stream: BinaryIO) -> None:
        """Waits for the capture's header. Raises EOFError without one, ValueError for another format."""
        self._stream = stream
        header = _whole(stream, _FILE_HEADER)
        for order in "<>":
            magic, *_, link_type = struct.unpack(f"{order}IHHiIII", header)
            if magic in (_MICROSECONDS, _NANOSECONDS):
                self._record = struct.Struct(f"{order}IIII")
                self._unit = 1 if magic == _NANOSECONDS else 1000
                self.link_type = link_type & 0xFFFF
                return
        raise ValueError("the capture does not begin as a pcap file does")

    def __iter__(self) -> Iterator[CapturedFrame]:
        """Until the pipe is closed; a frame that was cut off by that is left out."""
        while True:
            try:
                seconds, fraction, kept, length = self._record.unpack(_whole(self._stream, _RECORD_HEADER))
                data = _whole(self._stream, kept)
            except EOFError:
                return
            yield CapturedFrame(seconds * 10**9 + fraction * self._unit, data, length)


def _whole(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    while len(data) < size:
        more = stream.read(size - len(data))
        if not more:
            raise EOFError("the capture ended")
        data += more
    return data


_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_COMMENT, _APPLICATION, _IF_NAME, _IF_RESOLUTION = 1, 4, 2, 9
_RESOLUTION = bytes([9])
"""Times are in units of 10 to the power of -9 seconds."""


class CaptureWriter:
    """A pcapng file with named interfaces. What was written is in the stream at once."""

    def __init__(self, stream: BinaryIO, application: str) -> None:
        self._stream = stream
        self._interfaces: dict[tuple[str, int], int] = {}
        self.frames = 0
        body = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
        self._block(_SECTION, body, {_APPLICATION: application.encode()})

    def write(self, interface: str, link_type: int, frame: CapturedFrame, comment: str = "") -> int:
        """Add a frame; returns its number in the file, from 1 on, as Wireshark counts."""
        number = self._interface(interface, link_type)
        high, low = divmod(frame.time, 2**32)
        body = struct.pack("<IIIII", number, high, low, len(frame.data), frame.length) + _padded(frame.data)
        self._block(_PACKET, body, {_COMMENT: comment.encode()} if comment else {})
        self.frames += 1
        return self.frames

    def _interface(self, name: str, link_type: int) -> int:
        known = self._interfaces.get((name, link_type))
        if known is not None:
            return known
        body = struct.pack("<HHI", link_type, 0, 0)
        self._block(_INTERFACE, body, {_IF_NAME: name.encode(), _IF_RESOLUTION: _RESOLUTION})
        return self._interfaces.setdefault((name, link_type), len(self._interfaces))

    def _block(self, kind: int, body: bytes, options: dict[int, bytes]) -> None:
        for code, value in options.items():
            body += struct.pack("<HH", code, len(value)) + _padded(value)
        if options:
            body += struct.pack("<HH", 0, 0)
        length = struct.pack("<I", len(body) + 12)
        self._stream.write(struct.pack("<I", kind) + length + body + length)
        self._stream.flush()


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
