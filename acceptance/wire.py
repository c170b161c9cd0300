"""What passes the underlay NIC of a node while its pod pings the pods of other nodes.

The pings have the don't-fragment flag and exactly the size of the pods' MTU, so the frames on the wire are as
large as the wire takes them; one more ping is a byte too large.
"""

from __future__ import annotations

import base64
import binascii
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from acceptance.expectations import Wire, Wrapping
from acceptance.frames import Frame, Packet, read_frames
from acceptance.problems import Problem
from acceptance.shell import Command, Output
from acceptance.traffic import wraps

HEADERS = 28
"""Bytes of IP and ICMP around a ping's payload."""

_PING = "ping -n -M do -c 1 -w 5 -s"
"""Not with -q: then it goes on for all its time when its own device does not take the packet."""

KEPT_BYTES = 192
"""Of each frame: enough for Ethernet, IP, UDP, VXLAN, Ethernet, IP and ICMP, with options."""
MOST_FRAMES = 10_000
MOST_SECONDS = 60
"""The pings of one target end within 10 s."""

# tcpdump may be behind on a busy node: its file grows until it has read what came before this.
_CAUGHT_UP = """\
for _ in {1..30}; do
  before=$(stat -c %s wire.pcap); sleep 0.1; [ "$before" = "$(stat -c %s wire.pcap)" ] && break
done"""

# Frames between two macvlan or ipvlan devices of a machine never leave it, yet the NIC below shows them to
# its taps: macvlan_queue_xmit and ipvlan_xmit_mode_l2 in Linux' drivers/net.
_OWN_MACS = """\
for process in $(lsns --noheadings --type net --output PID); do
  nsenter --target $process --net ip -o link
done | sed -n 's,.*link/ether \\([0-9a-f:]*\\) .*,own-mac \\1,p' | sort -u"""

_COUNTS = re.compile(r"^(\d+) packets? (captured|dropped by \w+)$", re.MULTILINE)


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
    """Those on the wire: none from one device of the node to another one."""


def wire_command(device: str, enter: str, targets: Mapping[str, IPv4Address], mtu: int) -> Command:
    """Capture on `device` while a pod pings the targets, which are named by their nodes.

    `enter` are the words that run a command in the pod's network. Nothing is filtered out: the suite's own
    ssh, where it goes over this NIC, is TCP of the node like any other.
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
timeout --signal=INT {MOST_SECONDS} \\
  tcpdump -i {device} --immediate-mode -U -s {KEPT_BYTES} -c {MOST_FRAMES} -w wire.pcap 2>wire.err &
capture=$! pings=()
for _ in {{1..100}}; do grep -q 'listening on' wire.err && break; sleep 0.1; done
{pings}
wait "${{pings[@]}}"
{_CAUGHT_UP}
kill -INT $capture 2>/dev/null; wait $capture; echo status tcpdump $?
{_OWN_MACS}
cat wire.err >&2
echo capture "$(base64 -w 0 wire.pcap)"
""",
    )


def read_sight(output: Output) -> WireSight | Problem:
    """From the output of `wire_command`. A capture with gaps is a Problem: what it lacks cannot be judged."""
    answers: dict[tuple[str, str], str] = {}
    frames: tuple[Frame, ...] = ()
    own_macs: set[str] = set()
    try:
        for line in output.stdout.splitlines():
            what, _, rest = line.partition(" ")
            if what == "capture":
                frames = read_frames(base64.b64decode(rest))
            elif what == "own-mac":
                own_macs.add(rest)
            else:
                name, _, status = rest.partition(" ")
                answers[what, name] = status
    except (ValueError, binascii.Error) as error:
        return Problem(f"the capture cannot be read: {error}; {output.stderr}".rstrip("; "))
    if gap := _gap(output.stderr, answers.get(("status", "tcpdump")), len(frames)):
        return Problem(f"the capture is not complete: {gap}")
    nodes = [name for what, name in answers if what == "fits"]
    crossings = tuple(
        Crossing(node, answers["fits", node] == "0", answers.get(("one-more", node)) == "0") for node in nodes
    )
    return WireSight(
        crossings,
        tuple(frame for frame in frames if not {frame.source_mac, frame.target_mac} <= own_macs),
    )


def _gap(said: str, status: str | None, read: int) -> str | None:
    """What a capture lacks, from tcpdump's last words; None when it lacks nothing."""
    counted = {what: int(number) for number, what in _COUNTS.findall(said)}
    if status != "0" or "captured" not in counted:
        return f"tcpdump ended with status {status} and said: {' '.join(said.split())}"
    if counted["captured"] >= MOST_FRAMES:
        return f"more than {MOST_FRAMES} frames passed"
    if counted["captured"] != read:
        return f"tcpdump saw {counted['captured']} frames, its file has {read}"
    dropped = {what: number for what, number in counted.items() if what.startswith("dropped") and number}
    return ", ".join(f"{number} frames were {what}" for what, number in dropped.items()) or None


def wrong_on_the_wire(
    frames: Sequence[Frame], expected: Wire, pods: tuple[Host, Host], nodes: tuple[Host, Host], mtu: int
) -> list[str]:
    """How the pings between two pods, the asking one first, differ from what the mode puts on the wire."""
    wrapped = expected.wrapped
    outside = nodes if wrapped is not None else pods
    size = mtu + (wrapped.bytes if wrapped is not None else 0)
    macs = pods if expected.macs == "pod" else nodes
    said = []
    for way, (sender, receiver) in (("to", (0, 1)), ("from", (1, 0))):
        where = f"{way} {pods[1].address}"
        sent = [frame for frame in frames if _is_ping(frame, pods[sender], pods[receiver])]
        right = [frame for frame in sent if _fits(frame, wrapped, outside[sender], outside[receiver], size)]
        if not right:
            said.append(f"no ping {where} with {_text(expected, outside, size)} was on the wire")
        said += [
            f"a ping {where} has other MACs than the {expected.macs}s' own: {frame}"
            for frame in right
            if (frame.source_mac, frame.target_mac) != (macs[sender].mac, macs[receiver].mac)
        ]
        said += [f"unexpected on the wire: {frame}" for frame in sent if frame not in right]
    return said


def _is_ping(frame: Frame, sender: Host, receiver: Host) -> bool:
    """Whether it is ICMP from pod to pod, in whatever tunnel."""
    packet = frame.content
    while isinstance(packet, Packet) and packet.inside is not None:
        packet = packet.inside
    return (
        isinstance(packet, Packet)
        and packet.protocol == socket.IPPROTO_ICMP
        and (packet.source, packet.target) == (sender.address, receiver.address)
    )


def _fits(frame: Frame, wrapped: Wrapping | None, sender: Host, receiver: Host, size: int) -> bool:
    """Whether a ping has around it what the mode puts there, between the right hosts, and is of that size."""
    packet = frame.content
    return (
        isinstance(packet, Packet)
        and wraps(packet, wrapped)
        and (packet.source, packet.target) == (sender.address, receiver.address)
        and packet.length == size
    )


def _text(expected: Wire, outside: tuple[Host, Host], size: int) -> str:
    what = "nothing around it"
    if expected.wrapped is not None:
        what = f"{expected.wrapped.protocol} {expected.wrapped.port or ''}".strip() + " around it"
    return f"{what}, {size} bytes between {outside[0].address} and {outside[1].address}"
