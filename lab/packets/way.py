"""The way of a packet: its sightings joined to a chain, in which every step follows from the devices.

Nothing here knows network modes. A step that no device explains is a gap, and is told as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address

from lab.packets.facts import Device, NamespaceFacts
from lab.packets.headers import Udp, Vxlan
from lab.packets.sightings import Sighting

_SLAVES = ("macvlan", "ipvlan")
_NOT_TUNNELS = ("", "veth", "bridge", "vlan", "dummy", *_SLAVES)
"""Kinds of devices (IFLA_INFO_KIND) that never put a header around a packet; empty for hardware."""


class Action(StrEnum):
    SENT = "sent"
    RECEIVED = "received"
    BRIDGED = "bridged"
    FORWARDED = "forwarded"
    WRAPPED = "wrapped"
    UNWRAPPED = "unwrapped"
    DELIVERED = "delivered"
    UNEXPLAINED = "gap"
    """What came between it and the sighting before was not seen."""


@dataclass(frozen=True)
class Place:
    """A network namespace that was captured."""

    name: str
    machine: str
    """Whose clock and kernel it has."""
    facts: NamespaceFacts

    def holds(self, address: IPv4Address) -> bool:
        return address in self.facts.addresses


@dataclass(frozen=True)
class Hop:
    """One sighting in the chain."""

    number: int
    sighting: Sighting
    action: Action
    rewritten: bool
    """Addresses or ports of the innermost packet are others than at the hop before."""


@dataclass(frozen=True)
class Chain:
    hops: tuple[Hop, ...]
    delivered: bool
    """The last hop is the target's own sighting."""

    @property
    def gaps(self) -> tuple[Hop, ...]:
        return tuple(hop for hop in self.hops if hop.action is Action.UNEXPLAINED)


class Map:
    """The places and how their devices are connected."""

    def __init__(self, places: Sequence[Place]) -> None:
        self.places: Mapping[str, Place] = {place.name: place for place in places}

    def device(self, sighting: Sighting) -> Device | None:
        return self.places[sighting.place].facts.devices.get(sighting.device)

    def machine(self, sighting: Sighting) -> str:
        return self.places[sighting.place].machine

    def step(self, before: Sighting, after: Sighting) -> Action | None:
        """How the packet came from one sighting to the next; None when no device explains it."""
        first, second = self.device(before), self.device(after)
        if first is None or second is None:
            return None
        if before.place == after.place:
            return _inside(before, after, first, second)
        if first.routes_outside and before.out and self._is_outside(before, after):
            return Action.FORWARDED if after.out or second.name == "lo" else None
        if not _unchanged(before, after):
            return None
        if self.machine(before) != self.machine(after):
            crossed = (
                before.out and not after.out and self._connected(before.place, after.place, first, second)
            )
            return Action.RECEIVED if crossed else None
        return _between(before, after, first, second)

    def wire_end(self, sighting: Sighting) -> tuple[Place, Device] | None:
        """The place and device at the other end of the sighting's device: a veth's peer, a NIC's TAP."""
        device = self.device(sighting)
        for place in self.places.values():
            for other in place.facts.devices.values():
                elsewhere = (place.name, other.name) != (sighting.place, sighting.device)
                if device is None or not elsewhere:
                    continue
                if self._connected(sighting.place, place.name, device, other):
                    return place, other
        return None

    def tunnel(self, sighting: Sighting) -> str:
        """The device of the sighting's place that takes what is around it away; empty when there is none."""
        kinds = [type(header) for header in sighting.headers]
        kind = "vxlan" if Vxlan in kinds else "tun" if Udp in kinds[:-1] else "ipip"
        devices = self.places[sighting.place].facts.devices.values()
        return next((device.name for device in devices if device.kind == kind and device.up), "")

    def _is_outside(self, inner: Sighting, outer: Sighting) -> bool:
        """Whether the one is in the own namespace of the machine on which the other is."""
        return outer.place == self.machine(outer) == self.machine(inner)

    def _connected(self, place: str, other: str, first: Device, second: Device) -> bool:
        """Whether two devices are the ends of a wire, or of a veth.

        A veth knows its peer by a number that is unique in one namespace only: those of pods are looked for
        on the same machine.
        """
        places = self.places[place], self.places[other]
        same_machine = places[0].machine == places[1].machine
        outermost = all(each.name == each.machine for each in places)
        return _wired(first, second) or ((same_machine or outermost) and _paired(first, second))


def _unchanged(before: Sighting, after: Sighting) -> bool:
    """Whether it is the same packet: between two namespaces nothing routes, wraps or rewrites."""
    first, second = before.innermost, after.innermost
    return (before.flow, before.depth, first.ttl) == (after.flow, after.depth, second.ttl)


def _inside(before: Sighting, after: Sighting, first: Device, second: Device) -> Action | None:
    match before.out, after.out:
        case False, False:
            return _further_in(before, after, first, second)
        case False, True:
            return _forwarded(before, after, first, second)
        case True, True:
            return _further_out(before, after, first, second)
    if _is_above(first, second):
        return Action.BRIDGED
    looped = first.name == second.name == "lo" or _paired(first, second)
    return Action.RECEIVED if looped else None


def _further_in(before: Sighting, after: Sighting, first: Device, second: Device) -> Action | None:
    if first.master and first.master == second.name:
        return Action.BRIDGED
    if after.depth < before.depth and second.kind not in _NOT_TUNNELS:
        return Action.UNWRAPPED
    return Action.RECEIVED if second.lower == first.name else None


def _forwarded(before: Sighting, after: Sighting, first: Device, second: Device) -> Action | None:
    if first.master or second.master:
        return Action.BRIDGED if first.master == second.master else None
    return Action.FORWARDED if before.depth == after.depth else None


def _further_out(before: Sighting, after: Sighting, first: Device, second: Device) -> Action | None:
    if second.master and second.master == first.name:
        return Action.BRIDGED
    if after.depth > before.depth and first.kind not in _NOT_TUNNELS:
        return Action.WRAPPED
    return Action.SENT if first.lower == second.name else None


def _between(before: Sighting, after: Sighting, first: Device, second: Device) -> Action | None:
    """Of two namespaces of one machine."""
    match before.out, after.out:
        case True, True:
            return Action.SENT if _is_above(first, second) else None
        case False, False:
            return Action.RECEIVED if _is_above(second, first) else None
        case True, False:
            if _is_above(first, second) or _are_siblings(first, second):
                return Action.BRIDGED
            return Action.RECEIVED if _paired(first, second) else None
    return None


def _is_above(slave: Device, nic: Device) -> bool:
    """Whether the one is a macvlan or ipvlan device of the other.

    What one of these sends to another one, their NIC shows to its taps as if it came in: macvlan_queue_xmit
    in Linux' drivers/net/macvlan.c.
    """
    return slave.kind in _SLAVES and slave.lower_index == nic.index


def _are_siblings(first: Device, second: Device) -> bool:
    return first.kind in _SLAVES and (first.kind, first.lower_index) == (second.kind, second.lower_index)


def _paired(first: Device, second: Device) -> bool:
    """Whether they are the two ends of a veth."""
    if first.kind != "veth" or second.kind != "veth":
        return False
    if first.lower and second.lower:
        return first.lower == second.name and second.lower == first.name
    return first.lower_index == second.index and second.lower_index == first.index


def _wired(first: Device, second: Device) -> bool:
    """Whether they are a machine's NIC and its TAP device: libvirt gives that the NIC's MAC, but for `fe`."""
    nic, tap = (first, second) if second.kind == "tun" else (second, first)
    return nic.kind == "" and tap.kind == "tun" and tap.mac.startswith("fe:") and tap.mac[2:] == nic.mac[2:]


def chain_of(sightings: Sequence[Sighting], network: Map, sender: str, targets: Sequence[str]) -> Chain:
    """Join the sightings of a packet, from the place of its sender to one of the targets' places.

    Every sighting has a place of the map. What no step leads to and nothing comes of, such as the copies that
    a bridge sends to all its ports, is left out.
    """
    search = _Search(sightings, network, targets)
    starts = [each for each in search.sorted if each.place == sender and each.out]
    found: list[tuple[Sighting, Action]] = []
    begin = search.longest(starts[:1], Action.SENT) if starts else []
    found += begin
    while not (found and search.arrived(found[-1][0])):
        rest = search.after(found)
        further = search.longest(rest, Action.UNEXPLAINED)
        # A gap is told only where something comes of what was seen after it.
        if not further or not (search.arrived(further[-1][0]) or len(further) > 1 or not found):
            break
        found += further
    delivered = bool(found) and search.arrived(found[-1][0])
    hops: list[Hop] = []
    for number, (sighting, action) in enumerate(found, start=1):
        last = number == len(found) and delivered
        ended = last and action is not Action.UNEXPLAINED
        rewritten = bool(hops) and hops[-1].sighting.flow != sighting.flow
        hops.append(Hop(number, sighting, Action.DELIVERED if ended else action, rewritten))
    return Chain(tuple(hops), delivered)


class _Search:
    """For the longest chain among some sightings; one that arrives is better than any other."""

    def __init__(self, sightings: Sequence[Sighting], network: Map, targets: Sequence[str]) -> None:
        self._network = network
        self._targets = targets
        self.sorted = sorted(
            sightings, key=lambda each: (each.time, _depth_of_place(each, network), each.order)
        )
        self._position = {id(each): index for index, each in enumerate(self.sorted)}

    def arrived(self, sighting: Sighting) -> bool:
        place = self._network.places[sighting.place]
        return (
            not sighting.out
            and sighting.place in self._targets
            and sighting.depth == 1
            and place.holds(sighting.innermost.target)
            and not self._goes_in_further(sighting)
        )

    def _goes_in_further(self, sighting: Sighting) -> bool:
        """Whether the same place saw it again on the way in: on a bridge after its port, on a NIC's slave."""
        return any(
            each.place == sighting.place
            and not each.out
            and self._position[id(each)] > self._position[id(sighting)]
            and self._network.step(sighting, each) is not None
            for each in self.sorted
        )

    def after(self, found: Sequence[tuple[Sighting, Action]]) -> list[Sighting]:
        """Those that may come after a chain: in each machine, what was seen there later."""
        last = self._last_positions(found)
        taken = {id(sighting) for sighting, _ in found}
        return [each for each in self.sorted if id(each) not in taken and self._is_later(each, last)]

    def longest(self, starts: Sequence[Sighting], action: Action) -> list[tuple[Sighting, Action]]:
        """The best chain that begins with one of these."""
        best: list[tuple[Sighting, Action]] = []
        for start in starts:
            chain = self._from(start, {self._network.machine(start): self._position[id(start)]})
            candidate = [(start, action), *chain]
            if self._better(candidate, best):
                best = candidate
        return best

    def _from(self, sighting: Sighting, last: Mapping[str, int]) -> list[tuple[Sighting, Action]]:
        best: list[tuple[Sighting, Action]] = []
        for each in self.sorted:
            if each is sighting or not self._is_later(each, last):
                continue
            step = self._network.step(sighting, each)
            if step is None:
                continue
            machine = self._network.machine(each)
            chain = [(each, step), *self._from(each, {**last, machine: self._position[id(each)]})]
            if self._better(chain, best):
                best = chain
        return best

    def _better(
        self, chain: Sequence[tuple[Sighting, Action]], than: Sequence[tuple[Sighting, Action]]
    ) -> bool:
        return self._rank(chain) > self._rank(than)

    def _rank(self, chain: Sequence[tuple[Sighting, Action]]) -> tuple[bool, int]:
        return bool(chain) and self.arrived(chain[-1][0]), len(chain)

    def _is_later(self, sighting: Sighting, last: Mapping[str, int]) -> bool:
        return self._position[id(sighting)] > last.get(self._network.machine(sighting), -1)

    def _last_positions(self, found: Sequence[tuple[Sighting, Action]]) -> dict[str, int]:
        last: dict[str, int] = {}
        for sighting, _ in found:
            last[self._network.machine(sighting)] = self._position[id(sighting)]
        return last


def _depth_of_place(sighting: Sighting, network: Map) -> int:
    """Orders what bears the same time: a packet leaves the inner namespace first, and comes there last."""
    inner = sighting.place != network.machine(sighting)
    return int(not inner) if sighting.out else int(inner)
