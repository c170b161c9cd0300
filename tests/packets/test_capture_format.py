"""Captures are read from a pipe, and written with the name of every device."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import CookedLinuxV2, Ether
from scapy.utils import PcapNgReader

from lab.packets.capture_format import (
    CapturedFrame,
    CaptureReader,
    CaptureWriter,
    CookedHeader,
    Direction,
    LinkType,
)

FRAME = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP() / ICMP())


def capture_of(order: str, magic: int, fraction: int) -> bytes:
    header = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, LinkType.ETHERNET)
    return header + struct.pack(f"{order}IIII", 7, fraction, len(FRAME), 1500) + FRAME


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "nanoseconds"), [(0xA1B2C3D4, 5000), (0xA1B23C4D, 5)])
def test_both_orders_and_units_are_read(order: str, magic: int, nanoseconds: int) -> None:
    reader = CaptureReader(io.BytesIO(capture_of(order, magic, 5)))
    assert reader.link_type == LinkType.ETHERNET
    assert list(reader) == [CapturedFrame(7 * 10**9 + nanoseconds, FRAME, 1500)]


def test_a_frame_that_was_cut_off_is_left_out() -> None:
    whole = capture_of("<", 0xA1B2C3D4, 5)
    assert list(CaptureReader(io.BytesIO(whole + whole[24:-3]))) == [
        CapturedFrame(7 * 10**9 + 5000, FRAME, 1500)
    ]


def test_what_is_no_capture_is_refused() -> None:
    with pytest.raises(EOFError):
        CaptureReader(io.BytesIO(b"short"))
    with pytest.raises(ValueError, match="does not begin as a pcap file"):
        CaptureReader(io.BytesIO(bytes(24)))


def test_the_file_names_devices_and_comments_frames(tmp_path: Path) -> None:
    file = tmp_path / "out.pcapng"
    cooked = bytes(CookedLinuxV2(proto=0x0800, ifindex=3, pkttype=4) / IP() / ICMP())
    with file.open("wb") as stream:
        writer = CaptureWriter(stream, "lab")
        assert writer.write("k8s-node1/eth1", LinkType.ETHERNET, CapturedFrame(1_000_000_005, FRAME, 99)) == 1
        frame = CapturedFrame(2_000_000_000, cooked, len(cooked))
        assert writer.write("default/web/eth0", LinkType.SLL2, frame, "request 1: sent") == 2
        assert writer.write("k8s-node1/eth1", LinkType.ETHERNET, CapturedFrame(3, FRAME, 99)) == 3
    with PcapNgReader(str(file)) as reader:
        read = [next(reader) for _ in range(3)]
        with pytest.raises(StopIteration):
            next(reader)
    assert [packet.sniffed_on for packet in read] == ["k8s-node1/eth1", "default/web/eth0", "k8s-node1/eth1"]
    assert [packet.wirelen for packet in read] == [99, len(cooked), 99]
    assert float(read[0].time) == pytest.approx(1.000000005, abs=1e-9)
    assert read[1].comments == [b"request 1: sent"]
    assert isinstance(read[0], Ether)
    assert isinstance(read[1], CookedLinuxV2)
    assert bytes(read[0]) == FRAME


def test_the_cooked_header_tells_device_and_direction() -> None:
    cooked = bytes(CookedLinuxV2(proto=0x0800, ifindex=3, pkttype=4, lladdrlen=6, src=b"\2\0\0\0\0\1") / IP())
    header = CookedHeader.of(CapturedFrame(0, cooked, len(cooked)))
    assert (header.protocol, header.device_index, header.direction) == (0x0800, 3, Direction.OUT)
    assert header.address == "02:00:00:00:00:01"
    with pytest.raises(ValueError, match="no cooked header"):
        CookedHeader.of(CapturedFrame(0, b"short", 5))
