"""The suite's judgement of frames between two nodes."""

from __future__ import annotations

import base64
import os
import struct
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from acceptance.expectations import Wire, Wrapping
from acceptance.frames import Frame, read_frames
from acceptance.problems import Problem
from acceptance.shell import LocalShell, Output, run_batch
from acceptance.wire import Host, WireSight, read_sight, wire_command, wrong_on_the_wire

PODS = (
    Host(IPv4Address("10.200.1.2"), "02:00:00:00:00:01"),
    Host(IPv4Address("10.200.2.3"), "02:00:00:00:00:02"),
)
NODES = (
    Host(IPv4Address("172.31.7.102"), "52:54:00:00:00:01"),
    Host(IPv4Address("172.31.7.103"), "52:54:00:00:00:02"),
)
PLAIN = Wire(macs="node")
VXLAN = Wire(wrapped=Wrapping(protocol="udp", port=8472, bytes=50), macs="node")
IPIP = Wire(wrapped=Wrapping(protocol="ipip", bytes=20), macs="node")


def raw(
    addresses: tuple[Host, Host], macs: tuple[Host, Host], protocol: int, length: int, port: int
) -> bytes:
    ethernet = bytes.fromhex((macs[1].mac + macs[0].mac).replace(":", "")) + b"\x08\x00"
    ip = struct.pack(">BBHHHBBH", 0x45, 0, length, 0, 0, 64, protocol, 0)
    ends = addresses[0].address.packed + addresses[1].address.packed
    return ethernet + ip + ends + struct.pack(">HH", 4711, port) + bytes(60)


def captured(*frames: bytes) -> bytes:
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 96, 1)
    return header + b"".join(struct.pack("<IIII", 0, 0, len(f), len(f)) + f for f in frames)


def crossing(
    outside: tuple[Host, Host], macs: tuple[Host, Host], protocol: int, length: int, port: int = 0
) -> tuple[Frame, ...]:
    """A ping and its answer."""
    there = raw(outside, macs, protocol, length, port)
    back = raw(outside[::-1], macs[::-1], protocol, length, port)
    return read_frames(captured(there, back))


def test_a_capture_is_read() -> None:
    arp = bytes(12) + b"\x08\x06" + bytes(60)
    (frame,) = read_frames(captured(arp, raw(NODES, NODES, 17, 1500, 8472)))
    assert frame == Frame(NODES[0].mac, NODES[1].mac, NODES[0].address, NODES[1].address, 17, 8472, 1500)
    with pytest.raises(ValueError, match="not a capture"):
        read_frames(b"nothing")


@pytest.mark.parametrize(
    ("expected", "mtu", "frames"),
    [
        (PLAIN, 1500, crossing(PODS, NODES, 1, 1500)),
        (Wire(macs="pod"), 1500, crossing(PODS, PODS, 1, 1500)),
        (VXLAN, 1450, crossing(NODES, NODES, 17, 1500, 8472)),
        (IPIP, 1480, crossing(NODES, NODES, 4, 1500)),
    ],
)
def test_what_the_mode_puts_on_the_wire_is_right(expected: Wire, mtu: int, frames: tuple[Frame, ...]) -> None:
    assert wrong_on_the_wire(frames, expected, PODS, NODES, mtu) == []


@pytest.mark.parametrize(
    ("expected", "mtu", "frames", "said"),
    [
        (VXLAN, 1450, crossing(PODS, NODES, 1, 1450), "no frame to 10.200.2.3 with udp 8472 around it"),
        (VXLAN, 1450, crossing(PODS, NODES, 1, 1450), "unexpected on the wire: 10.200.1.2"),
        (VXLAN, 1450, crossing(NODES, NODES, 17, 1500, 4789), "UDP 4789, 1500"),
        (VXLAN, 1472, crossing(NODES, NODES, 17, 1500, 8472), "1522 bytes between"),
        (IPIP, 1480, crossing(NODES, NODES, 17, 1500, 8472), "no frame from 10.200.2.3 with ipip around it"),
        (
            PLAIN,
            1500,
            crossing(NODES, NODES, 17, 1500, 8472),
            "no frame to 10.200.2.3 with nothing around it",
        ),
        (PLAIN, 1500, crossing(PODS, PODS, 1, 1500), "other MACs than the nodes' own"),
        (Wire(macs="pod"), 1500, crossing(PODS, NODES, 1, 1500), "other MACs than the pods' own"),
        (PLAIN, 1500, (), "no frame to 10.200.2.3"),
    ],
)
def test_anything_else_is_told(expected: Wire, mtu: int, frames: tuple[Frame, ...], said: str) -> None:
    assert said in "\n".join(wrong_on_the_wire(frames, expected, PODS, NODES, mtu))


def test_the_command_asks_for_the_exact_size_and_one_byte_more() -> None:
    script = wire_command("eth1", "nsenter -t $pod_0 -n", {"k8s-node2": PODS[1].address}, 1450).script
    assert "-s 1422 10.200.2.3" in script
    assert "-s 1423 10.200.2.3" in script


def test_all_targets_are_pinged_at_once_and_each_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = tmp_path / "tcpdump"
    stand_in.write_text("#!/bin/sh\necho listening on lo >&2\nexec sleep 1\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    targets = {"here": IPv4Address("127.0.0.1"), "nowhere": IPv4Address("0.0.0.1")}
    output = run_batch(LocalShell(), [wire_command("lo", "", targets, 1500)])["wire"]
    said = set(output.stdout.splitlines())
    assert {"fits here 0", "one-more here 0"} < said
    assert {line.rpartition(" ")[0] for line in said} >= {"fits nowhere", "one-more nowhere"}
    assert not said & {"fits nowhere 0", "one-more nowhere 0"}


def test_what_a_node_says_is_read() -> None:
    capture = base64.b64encode(captured(raw(PODS, NODES, 1, 1500, 0))).decode()
    sight = read_sight(
        Output(0, f"fits n2 0\none-more n2 1\nfits n3 1\none-more n3 0\ncapture {capture}\n", "")
    )
    assert isinstance(sight, WireSight)
    assert [(c.target_node, c.fits, c.one_more_fits) for c in sight.crossings] == [
        ("n2", True, False),
        ("n3", False, True),
    ]
    assert len(sight.frames) == 1
    broken = read_sight(Output(0, "fits n2 0\ncapture \n", "tcpdump: no such device"))
    assert isinstance(broken, Problem)
