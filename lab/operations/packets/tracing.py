"""`lab trace`: one packet with a token, captured in every network namespace of a lab that it may pass."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from lab.foundation.errors import WrongUseError
from lab.operations.context import Lab
from lab.operations.packets.capturing import without_captures
from lab.operations.packets.trace_ends import host_spot, lan_host_spot, node_spot, sender_of, target_of
from lab.packets.protocols import Protocol
from lab.packets.reasons import Code, Confidence, Reason
from lab.packets.spots import Spot
from lab.packets.trace import Request, Trace, TracedWay
from lab.packets.tracer import Scenario, Traced, send_and_trace
from lab.state.exercise import read_exercise

USUAL_SIZE = 84
"""Bytes of ping's usual packet, its IP header included."""
LEAST_SIZE, MOST_SIZE = 60, 65535
"""The token and what ping puts before it must fit in."""


@dataclass(frozen=True)
class LabTrace:
    """A trace in a lab, and what was captured for it."""

    trace: Trace
    traced: Traced


def trace(lab: Lab, sender: str, target: str, protocol: Protocol | None, size: int | None) -> LabTrace:
    """Send one packet from the sender to the target, and tell which way it and its answer took.

    Raises WrongUseError for ends that do not exist or a size that cannot be, LabError when a node cannot
    be captured.
    """
    lab.require_awake()
    origin = sender_of(lab, sender)
    end, chosen = target_of(lab, target, protocol)
    wanted = _size(size, chosen)
    request = Request(replace(origin.end, port=0), end.end, chosen, wanted, secrets.token_hex(16))
    spots = _spots(lab, [*origin.spots, *end.spots])
    started = datetime.now(UTC).isoformat()
    scenario = Scenario(request, spots, origin.spots[0], end.spots, without_captures(lab))
    traced = send_and_trace(scenario)
    mode = str(lab.plan.choice)
    ways = tuple(map(without_reasons, traced.ways)) if read_exercise(lab.folder) else traced.ways
    result = Trace(lab.folder.name, mode, started, request, traced.verdict, ways, traced.warnings)
    return LabTrace(result, traced)


def without_reasons(way: TracedWay) -> TracedWay:
    """During an exercise a trace says where a packet is lost; why is what the student is to find."""
    if way.lost is None:
        return way
    untold = Reason(Code.UNKNOWN, "an exercise runs: why is for you to find", Confidence.LIKELY)
    return replace(way, lost=replace(way.lost, reasons=(untold,)))


def _size(size: int | None, protocol: Protocol) -> int:
    if size is None:
        return USUAL_SIZE
    if protocol is Protocol.TCP:
        raise WrongUseError(
            "TCP's first packet has the size that the kernel gives it",
            resolution="leave --size out, or use --protocol icmp or udp",
        )
    if not LEAST_SIZE <= size <= MOST_SIZE:
        raise WrongUseError(
            f"a packet cannot have {size} bytes here", resolution=f"from {LEAST_SIZE} to {MOST_SIZE}"
        )
    return size


def _spots(lab: Lab, ends: Sequence[Spot]) -> list[Spot]:
    """All nodes, the host side and the LAN host, and the pods at the ends."""
    spots = [node_spot(lab, node.name) for node in lab.plan.nodes]
    spots.append(host_spot(lab))
    if (lan_host := lan_host_spot(lab)) is not None:
        spots.append(lan_host)
    return list({spot.name: spot for spot in [*spots, *ends]}.values())
