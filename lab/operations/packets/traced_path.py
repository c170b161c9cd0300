"""The way of a real packet between pods of two nodes, as the suite's page draws it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from lab.foundation.errors import LabError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import Progress
from lab.modes.registry import mode_named
from lab.operations.context import Lab
from lab.operations.packets.probe_pods import ProbePod, make_probe_pods, probe_nodes, remove_probe_pods
from lab.operations.packets.tracing import trace
from lab.operations.suite_page import DrawnPath, Station
from lab.packets.headers import Arp, Header, Icmp, IPv6Header, Tcp, Udp, Vlan, Vxlan
from lab.packets.spots import HOST_SIDE
from lab.packets.trace import Trace, Verdict
from lab.packets.way import Hop

NAMESPACE = "lab-trace"
PODS_LIMIT = 180.0
"""Seconds for the pods: in a lab that is broken they may never be ready."""


def traced_paths(folder: LabFolder, progress: Progress) -> tuple[DrawnPath, ...]:
    """A path for each kind of pods of the lab's mode; where none can be traced, it says why.

    The pods between which is traced are made for it, and removed. With one node there is no path.
    """
    lab = Lab.open(folder, progress)
    kinds = mode_named(lab.plan.mode).paths
    nodes = [node.name for node in probe_nodes(lab.plan)[:2]]
    if len(nodes) < 2:
        return ()
    pods = {
        (kind, node): ProbePod(f"pod-{kind}-{node}", node, path.annotations)
        for (kind, path), node in itertools.product(enumerate(kinds), nodes)
    }
    try:
        with progress.step("the way of a packet between pods of two nodes"):
            try:
                make_probe_pods(lab, NAMESPACE, list(pods.values()), seconds=PODS_LIMIT)
                names = [
                    [f"{NAMESPACE}/{pods[kind, node].name}" for node in nodes] for kind in range(len(kinds))
                ]
                traces = [trace(lab, sender, target, None, None).trace for sender, target in names]
            finally:
                remove_probe_pods(lab, NAMESPACE)
    except LabError as error:
        return tuple(DrawnPath(path.pods, (), path.wire, (), f"not traced: {error.brief}") for path in kinds)
    return tuple(drawn(path.pods, found) for path, found in zip(kinds, traces, strict=True))


def drawn(pods: str, found: Trace) -> DrawnPath:
    """The request's way: the devices before and after the wire, and what the frame on it is made of."""
    chain = found.ways[0].chain
    on_wire = [hop for hop in chain.hops if hop.sighting.place == HOST_SIDE]
    if found.verdict is Verdict.LOST or not on_wire:
        return DrawnPath(pods, _stations(chain.hops), "", (), f"not delivered: {found.verdict}")
    first, last = chain.hops.index(on_wire[0]), chain.hops.index(on_wire[-1])
    wire = stack(on_wire[0].sighting.headers)
    gaps = f"{len(chain.gaps)} gaps" if chain.gaps else ""
    return DrawnPath(pods, _stations(chain.hops[:first]), wire, _stations(chain.hops[last + 1 :]), gaps)


def stack(headers: Sequence[Header]) -> str:
    """The names of the headers, the outermost first, with what tells a tunnel from others."""
    return ", ".join(_name(header) for header in headers)


def _name(header: Header) -> str:
    match header:
        case Udp():
            return f"UDP {header.target}"
        case Vxlan():
            return f"VXLAN {header.vni}"
        case IPv6Header():
            return "IPv6"
        case Tcp() | Icmp() | Arp() | Vlan():
            return type(header).__name__.upper()
        case _:
            return type(header).__name__


def _stations(hops: Sequence[Hop]) -> tuple[Station, ...]:
    """Each namespace with its devices, in their order; a device that is passed in and out counts once."""
    grouped = itertools.groupby(hops, key=lambda hop: hop.sighting.place)
    return tuple(
        Station(place, tuple(dict.fromkeys(hop.sighting.device for hop in inside)))
        for place, inside in grouped
    )
