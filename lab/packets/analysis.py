"""Joins what was seen of a packet, and asks the namespaces for what explains it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import Protocol as Interface

from lab.packets.capture import Answer
from lab.packets.facts import NamespaceFacts
from lab.packets.observed import Observed
from lab.packets.protocols import Protocol
from lab.packets.reasons import Code, Confidence, Reason, Route, Scene, reasons_for
from lab.packets.sightings import Flow, Sighting, Way
from lab.packets.trace import Lost, Request, Said, TracedWay, asked_flow, changes
from lab.packets.way import Action, Chain, Hop, Map, chain_of

_REWRITES = re.compile(r"^nat .* -j (DNAT|SNAT|MASQUERADE|REDIRECT)\b")
_ENDS = re.compile(r"src=(\S+) dst=(\S+)")


class Namespaces(Interface):
    """Answers for the namespaces that are captured, by the names of their places. All raise LabError."""

    def ask(self, place: str, script: str) -> Answer: ...

    def facts_of(self, place: str) -> NamespaceFacts: ...

    def route(self, place: str, target: IPv4Address, source: IPv4Address | None, device: str) -> Route:
        """Of a packet that came in by the device; without a source, of one of the namespace's own."""
        ...


def _ends(flow: Flow) -> set[tuple[str, str]]:
    """Source and target as conntrack has them, in both directions."""
    ends = str(flow.source), str(flow.target)
    return {ends, (ends[1], ends[0])}


def _ports(flow: Flow) -> list[int]:
    return [port for port in (flow.source_port, flow.target_port) if port]


class Analysis:
    """Joins what was seen, and asks for what explains it."""

    def __init__(
        self,
        namespaces: Namespaces,
        network: Map,
        observed: Observed,
        *,
        request: Request,
        sender: str,
        targets: Sequence[str],
        probe: Answer,
    ) -> None:
        self._namespaces = namespaces
        self._map = network
        self._observed = observed
        self._sender = sender
        self._targets = targets
        self._probe = probe
        self._request = request
        self._since: dict[str, NamespaceFacts] = {}

    def ways(self) -> tuple[TracedWay, ...]:
        request = chain_of(self._observed.of_way(Way.REQUEST), self._map, self._sender, self._targets)
        ways = [self._way(Way.REQUEST, request)]
        answers = [each for each in self._observed.of_way(Way.REPLY) if each.place in self._targets]
        if request.delivered and not self._observed.refused_by_error:
            ways += self._reply(request.hops[-1].sighting.place)
        elif answers:
            ways += self._reply(answers[0].place)
        return tuple(ways)

    def _reply(self, place: str) -> list[TracedWay]:
        """Of UDP none is told when none was seen: it need not be answered."""
        reply = chain_of(self._observed.of_way(Way.REPLY), self._map, place, [self._sender])
        if reply.hops:
            return [self._way(Way.REPLY, reply)]
        if self._request.protocol is Protocol.UDP:
            return []
        return [TracedWay(Way.REPLY, reply, self._never_answered(place))]

    def _way(self, way: Way, chain: Chain) -> TracedWay:
        asked = asked_flow(self._request) if way is Way.REQUEST else None
        said: dict[int, Said] = {}
        for index, hop in enumerate(chain.hops):
            route = self._route_of(chain, index).text if hop.action is Action.FORWARDED else ""
            changed = changes(chain.hops, index, asked)
            rewriting = self._rewriting(chain.hops, index, asked) if changed else ()
            if route or rewriting:
                said[hop.number] = Said(route, rewriting)
        targets = self._targets if way is Way.REQUEST else [self._sender]
        lost = None if chain.delivered else self._lost(chain, targets)
        return TracedWay(way, chain, lost, said)

    def _rewriting(self, hops: Sequence[Hop], index: int, asked: Flow | None) -> tuple[str, ...]:
        """The entry of the connection; of a request also the rules of the table nat that met packets since.

        An answer is rewritten by the entry, and meets no rule.
        """
        sighting = hops[index].sighting
        before = hops[index - 1].sighting.flow if index else asked or sighting.flow
        flows = [before, sighting.flow]
        protocol = self._request.protocol
        listed = self._namespaces.ask(
            sighting.place, f'"${{enter[@]}}" conntrack -L -p {protocol} 2>/dev/null'
        )
        entries = [
            " ".join(line.split())
            for line in listed.text.splitlines()
            if all(_ends(flow) & set(_ENDS.findall(line)) for flow in flows)
            and all(f"port={port} " in line for flow in flows for port in _ports(flow))
        ]
        return (*entries[:1], *(() if asked is None else self._rules_met(sighting.place)))

    def _facts_since(self, place: str) -> NamespaceFacts:
        """What the namespace says of itself after the packet; it is asked once."""
        if place not in self._since:
            self._since[place] = self._namespaces.facts_of(place)
        return self._since[place]

    def _rules_met(self, place: str) -> list[str]:
        before = self._map.places[place].facts.rules
        after = self._facts_since(place).rules
        return [
            f"{rule} +{packets - before.get(rule, 0)}"
            for rule, packets in after.items()
            if packets > before.get(rule, 0) and _REWRITES.search(rule)
        ]

    def _never_answered(self, place: str) -> Lost:
        requests = [each for each in self._observed.of_way(Way.REQUEST) if each.place == place]
        route = self._namespaces.route(place, requests[-1].flow.source, None, "")
        if not route.device:
            said = f"ip route get in {place}: {route.text}"
            reason = Reason(Code.NO_ROUTE, said, Confidence.CERTAIN)
        else:
            reason = Reason(Code.UNKNOWN, f"{place} sent no answer by any device", Confidence.LIKELY)
        return Lost(0, place, route.device, (reason,))

    def _route_of(self, chain: Chain, index: int) -> Route:
        """Of the packet as it came in, before the namespace sent it out again."""
        came, left = chain.hops[index - 1].sighting, chain.hops[index].sighting
        return self._namespaces.route(came.place, left.flow.target, came.flow.source, came.device)

    def _lost(self, chain: Chain, targets: Sequence[str]) -> Lost:
        if not chain.hops:
            return self._never_sent()
        last = chain.hops[-1].sighting
        route: Route | None = None
        place, device = last.place, ""
        if last.out:
            end = self._map.wire_end(last)
            place, device = (end[0].name, end[1].name) if end is not None else (last.place, "")
        elif last.depth > 1 and self._map.places[last.place].holds(last.outermost.target):
            device = self._map.tunnel(last)
        else:
            route = self._namespaces.route(last.place, last.flow.target, last.flow.source, last.device)
            device = route.device
        scene = self._scene(last, route, place, device)
        asked = self._observed.unanswered()
        return Lost(
            len(chain.hops),
            place,
            device,
            (
                *self._hidden(last, targets),
                *reasons_for(scene, self._observed.errors, asked),
            ),
        )

    def _hidden(self, last: Sighting, targets: Sequence[str]) -> list[Reason]:
        """Of a target on that machine whose device shows nothing that comes in."""
        places = [self._map.places[name] for name in targets]
        return [
            Reason(
                Code.NOT_SHOWN,
                f"{place.name}/{device.name}, {device.kind} {device.mode}, shows only what it sends",
                Confidence.LIKELY,
            )
            for place in places
            for device in place.facts.devices.values()
            if device.routes_outside and place.machine == last.place and not last.out
        ]

    def _scene(self, last: Sighting, route: Route | None, place: str, device: str) -> Scene:
        before = self._map.places[last.place].facts
        elsewhere = place != last.place
        return Scene(
            last,
            last.place,
            before,
            self._facts_since(last.place),
            route,
            place,
            device,
            self._map.places[place].facts if elsewhere else None,
            self._facts_since(place) if elsewhere else None,
        )

    def _never_sent(self) -> Lost:
        said = " ".join(self._probe.text.split())
        reason = Reason.of_sender(said)
        return Lost(0, self._sender, "", (reason,))
