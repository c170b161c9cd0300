"""The way of a packet in each mode, and of its answer: from its definition and what the suite expects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from lab.modes.mode import NIC, Encapsulation, Mode, PacketPath
from lab.topology.loader import load_topology
from lab.topology.planner import make_plan

ROOT = Path(__file__).parents[2]
TOPOLOGY = ROOT / "topologies" / "underlay-3node.yaml"
EXPECTATIONS = ROOT / "acceptance" / "expectations"
PODS = {"A": "k8s-node1", "B": "k8s-node2"}
"""And their nodes."""
WIRE = "wire"


@dataclass(frozen=True)
class Stop:
    """A device that the packet passes, and what it is there."""

    place: str
    device: str
    role: str
    """A key of mode_words.yaml."""
    packet: str


@dataclass(frozen=True)
class ModeWay:
    """Between pods of one kind, on different nodes."""

    pods: str
    kind: str
    mtu: int
    added: str
    """Between the nodes; empty where nothing is."""
    macs: str
    lan_reaches: bool
    lan_sees: str
    annotation: str
    """By which pods are of this kind, where the mode has several."""
    legs: tuple[tuple[Stop, ...], ...]
    """There, and back."""
    picture: str = ""
    """Its path on the site."""


def ways_of(mode: Mode) -> tuple[ModeWay, ...]:
    """In the order of the mode's own paths."""
    expected = yaml.safe_load((EXPECTATIONS / f"{mode.name}.yaml").read_text(encoding="utf-8"))
    groups = {expected.get("group", ""): expected}
    for further in expected.get("further_groups", ()):
        groups[further["group"]] = _over(expected, further["replace"])
    ways = []
    for number, path in enumerate(mode.paths, start=1):
        group = groups[path.pods.split()[0] if len(groups) > 1 else next(iter(groups))]
        ways.append(
            replace(_way(path, mode.encapsulation, group), picture=f"pictures/mode-{mode.name}-{number}.svg")
        )
    return tuple(ways)


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """One mapping with what another one replaces in it, at any depth."""
    merged = dict(below)
    for key, value in above.items():
        mine = merged.get(key)
        merged[key] = _over(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return merged


def _way(path: PacketPath, around: Encapsulation | None, group: Mapping[str, Any]) -> ModeWay:
    wrapped = group["wire"].get("wrapped")
    first, second = _ends()
    there = tuple(_stops(path, around, (first, second)))
    back = tuple(_stops(path, around, (second, first)))
    return ModeWay(
        pods=path.pods,
        kind=group["kind"],
        mtu=group["pods"]["mtu"],
        added=f"{wrapped['bytes']} bytes: {path.wire}" if wrapped else "",
        macs=group["wire"]["macs"],
        lan_reaches=group["reach"]["lan-host-to-pod"]["answers"],
        lan_sees="pod" if group["reach"]["pod-to-lan-host"]["source"] == "pod" else "node",
        annotation=", ".join(f"{key}: {value}" for key, value in path.annotations.items()),
        legs=(there, back),
    )


@dataclass(frozen=True)
class _End:
    """A pod, and the node that it is on."""

    pod: str
    node: str
    address: str
    """Of the node."""
    nic: str


def _ends() -> tuple[_End, ...]:
    plan = make_plan(load_topology(TOPOLOGY))
    nodes = {node.name: node for node in plan.nodes}
    return tuple(
        _End(pod, name, str(nodes[name].internal_address), nodes[name].nic_on(plan.node_network).device)
        for pod, name in PODS.items()
    )


def _stops(path: PacketPath, around: Encapsulation | None, ends: tuple[_End, _End]) -> Iterator[Stop]:
    sender, receiver = ends
    nic = sender.nic
    plain = f"{sender.pod} > {receiver.pod}"
    outer = f"{sender.address} > {receiver.address}"
    devices = [device.replace(NIC, nic) for device in path.devices]
    tunnel = around.device_over(nic) if around else ""
    wraps = next((at for at, device in enumerate(devices) if tunnel and device.startswith(tunnel)), None)
    inside = f"{outer} | {path.wire} | {plain}" if wraps is not None else plain

    def stop(at: int, end: _End, *, arriving: bool) -> Stop:
        device = devices[at]
        is_wrapped = wraps is not None and at > wraps
        role = device
        if at == wraps:
            role = "unwraps" if arriving else "wraps"
        place = end.pod if at == 0 else end.node
        return Stop(place, device, role, inside if is_wrapped else plain)

    numbers = range(len(devices))
    yield from (stop(at, sender, arriving=False) for at in numbers)
    yield Stop("lab-host", WIRE, WIRE, inside)
    yield from (stop(at, receiver, arriving=True) for at in reversed(numbers))
