"""What passes the underlay NIC of a node while its pod pings the pods of other nodes.

The pings have the don't-fragment flag and exactly the size of the pods' MTU, so the frames on the wire are as
large as the wire takes them; one more ping is a byte too large.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from acceptance.expectations import Wire
from acceptance.frames import ICMP, IP_IN_IP, UDP, Frame, read_frames
from acceptance.problems import Problem
from acceptance.shell import Command, Output

HEADERS = 28
"""Bytes of IP and ICMP around a ping's payload."""

_PING = "ping -n -M do -c 1 -w 5 -s"
"""Not with -q: then it goes on for all its time when its own device does not take the packet."""


@dataclass(frozen=True)
class Host:
    """A pod or a node as the wire shows it."""

    address: IPv4Address
    mac: str


@dataclass(frozen=True)
class Crossing:
    """A ping from a pod to a pod of another node."""

    target_node: str
    fits: bool
    """A packet of exactly the pods' MTU came through and was answered."""
    one_more_fits: bool
    """A packet of one byte more did too."""


@dataclass(frozen=True)
class WireSight:
    """What one node saw."""

    crossings: tuple[Crossing, ...]
    frames: tuple[Frame, ...]


def wire_command(device: str, enter: str, targets: Mapping[str, IPv4Address], mtu: int) -> Command:
    """Capture on `device` while a pod pings the targets, which are named by their nodes.

    `enter` are the words that run a command in the pod's network.
    """
    size = mtu - HEADERS
    pings = "\n".join(
        f"{{ {enter} {_PING} {size} {address} >/dev/null 2>&1; echo fits {node} $?\n"
        f"{enter} {_PING} {size + 1} {address} >/dev/null 2>&1; echo one-more {node} $?; }} &\n"
        "pings+=($!)"
        for node, address in targets.items()
    )
    return Command(
        "wire",
        f"""\
tcpdump -i {device} --immediate-mode -U -s 96 -w wire.pcap 'icmp or udp or ip proto 4' 2>wire.err &
capture=$! pings=()
for _ in {{1..100}}; do grep -q 'listening on' wire.err && break; sleep 0.1; done
{pings}
wait "${{pings[@]}}"
kill -INT $capture 2>/dev/null; wait $capture
echo capture "$(base64 -w 0 wire.pcap)"
""",
    )


def read_sight(output: Output) -> WireSight | Problem:
    """From the output of `wire_command`."""
    answers: dict[tuple[str, str], bool] = {}
    frames: tuple[Frame, ...] = ()
    try:
        for line in output.stdout.splitlines():
            what, _, rest = line.partition(" ")
            if what == "capture":
                frames = read_frames(base64.b64decode(rest))
            else:
                node, _, status = rest.partition(" ")
                answers[what, node] = status == "0"
    except (ValueError, binascii.Error) as error:
        return Problem(f"the capture cannot be read: {error}; {output.stderr}".rstrip("; "))
    nodes = [node for what, node in answers if what == "fits"]
    crossings = tuple(
        Crossing(node, answers["fits", node], answers.get(("one-more", node), False)) for node in nodes
    )
    return WireSight(crossings, frames)


def wrong_on_the_wire(
    frames: Sequence[Frame], expected: Wire, pods: tuple[Host, Host], nodes: tuple[Host, Host], mtu: int
) -> list[str]:
    """How the frames between two pods, the asking one first, differ from what the mode puts on the wire."""
    outside = nodes if expected.wrapped is not None else pods
    size = mtu + (expected.wrapped.bytes if expected.wrapped is not None else 0)
    macs = pods if expected.macs == "pod" else nodes
    between_pods = [frame for frame in frames if _between(frame, pods)]
    large = [frame for frame in frames if frame.length >= mtu and _between(frame, nodes)]
    right = [
        frame
        for frame in (large if expected.wrapped is not None else between_pods)
        if _protocol(expected) == (frame.protocol, frame.port) and frame.length == size
    ]
    said = []
    for way, (sender, receiver) in (("to", (0, 1)), ("from", (1, 0))):
        passed = [frame for frame in right if frame.source == outside[sender].address]
        where = f"{way} {pods[1].address}"
        if not passed:
            said.append(f"no frame {where} with {_text(expected, outside, size)} was on the wire")
        said += [
            f"a frame {where} has other MACs than the {expected.macs}s' own: {frame}"
            for frame in passed
            if (frame.source_mac, frame.target_mac) != (macs[sender].mac, macs[receiver].mac)
        ]
    others = [frame for frame in (*between_pods, *large) if frame not in right]
    return said + [f"unexpected on the wire: {frame}" for frame in others]


def _between(frame: Frame, hosts: tuple[Host, Host]) -> bool:
    return {frame.source, frame.target} == {host.address for host in hosts}


def _protocol(expected: Wire) -> tuple[int, int | None]:
    if expected.wrapped is None:
        return ICMP, None
    return (UDP, expected.wrapped.port) if expected.wrapped.protocol == "udp" else (IP_IN_IP, None)


def _text(expected: Wire, outside: tuple[Host, Host], size: int) -> str:
    what = "nothing around it"
    if expected.wrapped is not None:
        what = f"{expected.wrapped.protocol} {expected.wrapped.port or ''}".strip() + " around it"
    return f"{what}, {size} bytes between {outside[0].address} and {outside[1].address}"
