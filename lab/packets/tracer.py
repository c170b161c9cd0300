"""Sends one packet, and captures it in every network namespace that it may pass."""

from __future__ import annotations

import re
import secrets
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from lab.foundation.errors import LabError
from lab.nodes.pool import in_parallel
from lab.packets.capture import Answer, Captures, Seen
from lab.packets.facts import FACTS_SCRIPT, NamespaceFacts
from lab.packets.observed import Observed
from lab.packets.protocols import Protocol
from lab.packets.reasons import Code, Confidence, Reason, Route, Scene, reasons_for
from lab.packets.sightings import Flow, Sighting, Way
from lab.packets.spots import Spot
from lab.packets.trace import Lost, Request, Said, TracedWay, Verdict, asked_flow, changes
from lab.packets.way import Action, Chain, Hop, Map, Place, chain_of

_HEADERS = 28
"""Bytes of the IP header and of ICMP's or UDP's."""
KEPT_BYTES = 256
"""Of each frame: three times Ethernet, IP, UDP or TCP, and the token."""
ANSWER_SECONDS = 5
ASK_LIMIT = 60.0
"""Seconds for what a namespace says of itself, on an emulated node that is busy."""
LAST_FRAME_LIMIT = 20.0
_REWRITES = re.compile(r"^nat .* -j (DNAT|SNAT|MASQUERADE|REDIRECT)\b")
_ENDS = re.compile(r"src=(\S+) dst=(\S+)")
_ROUTE = re.compile(r"^(?:unreachable |local |broadcast )?(\S+).*?(?: via (\S+))?.*? dev (\S+)")


@dataclass(frozen=True)
class Scenario:
    """Who sends what, and where it may be seen."""

    request: Request
    spots: Sequence[Spot]
    """All namespaces that are captured."""
    sender: Spot
    """One of them."""
    targets: Sequence[Spot]
    """Those of them where the packet may be delivered."""
    packet_filter: str = ""
    """As in pcap-filter(7): what leaves out the connections that bring the captures."""


@dataclass(frozen=True)
class Traced:
    """What was seen of a packet."""

    verdict: Verdict
    ways: tuple[TracedWay, ...]
    warnings: tuple[str, ...]
    frames: tuple[Seen, ...]
    """All that was captured; a sighting's frame is the number in here, from 1 on."""

    @property
    def comments(self) -> Mapping[int, str]:
        """What the frames of the hops are, by their number."""
        return {
            hop.sighting.frame: f"{way.way} {hop.number}: {hop.sighting.place} {hop.action}"
            for way in self.ways
            for hop in way.chain.hops
        }


def send_and_trace(scenario: Scenario) -> Traced:
    """Raises LabError when a namespace cannot be captured."""
    request, sender = scenario.request, scenario.sender
    with Captures(scenario.spots, scenario.packet_filter, KEPT_BYTES) as captures:
        tracer = _Tracer(captures, scenario.spots)
        before = tracer.facts()
        said = captures.ask(sender, _probe(request), ASK_LIMIT)
        frames, warnings = tracer.all_frames()
        asked = request.target.address, request.target.port
        observed = Observed.of(frames, request.protocol, bytes.fromhex(request.token), asked, sender.name)
        places = [Place(spot.name, spot.machine.name, before[spot.name]) for spot in scenario.spots]
        analysis = _Analysis(
            tracer,
            Map(places),
            observed,
            request=request,
            sender=sender.name,
            targets=[spot.name for spot in scenario.targets],
            probe=said,
        )
        ways = analysis.ways()
    return Traced(_verdict(ways, observed, request.protocol), ways, tuple(warnings), tuple(frames))


def _probe(request: Request) -> str:
    """Shell text that sends the packet, and waits for an answer for a while."""
    target, port, payload = request.target.address, request.target.port, request.size - _HEADERS
    if request.protocol is Protocol.ICMP:
        ping = f"ping -n -c 1 -W {ANSWER_SECONDS} -M do -s {payload} -p {request.token} {target}"
        return f'"${{enter[@]}}" {ping}'
    if request.protocol is Protocol.TCP:
        talk = f"exec 3<>/dev/tcp/{target}/{port}"
    else:
        # agnhost answers `echo WORD` with the word; whoever does not understand it has got it all the same.
        content = f"echo {request.token}".ljust(payload, ".")
        talk = (
            f"exec 3<>/dev/udp/{target}/{port}; printf %s {content!r} >&3;"
            f" read -r -t {ANSWER_SECONDS} -N 1 -u 3 answer"
        )
    return f'"${{enter[@]}}" timeout {ANSWER_SECONDS} bash -c {shlex.quote(talk)}'


def _ends(flow: Flow) -> set[tuple[str, str]]:
    """Source and target as conntrack has them, in both directions."""
    ends = str(flow.source), str(flow.target)
    return {ends, (ends[1], ends[0])}


class _Tracer:
    """Asks the namespaces that are captured."""

    def __init__(self, captures: Captures, spots: Sequence[Spot]) -> None:
        self._captures = captures
        self._spots = {spot.name: spot for spot in spots}

    def ask(self, place: str, script: str) -> Answer:
        return self._captures.ask(self._spots[place], script, ASK_LIMIT)

    def facts(self) -> dict[str, NamespaceFacts]:
        """What all namespaces say of themselves now. Raises LabError for one that cannot say it."""
        return in_parallel({name: lambda name=name: self.facts_of(name) for name in self._spots})  # type: ignore[misc]

    def facts_of(self, place: str) -> NamespaceFacts:
        answer = self.ask(place, FACTS_SCRIPT)
        try:
            return NamespaceFacts.of(answer.text)
        except ValueError as error:
            raise LabError(
                f"{place} does not say how its network is set up",
                details=f"{error}\n{answer.text[-200:]}",
                resolution="run the same command again; `lab status` shows whether the node runs",
            ) from error

    def all_frames(self) -> tuple[list[Seen], list[str]]:
        """All frames up to now, by time, and which places may lack some.

        A ping on each loopback device comes last in each capture: what was captured before it has come too.
        """
        mark = secrets.token_bytes(16)
        ping = f'"${{enter[@]}}" ping -n -q -c 1 -W 1 -p {mark.hex()} 127.0.0.1'
        in_parallel({name: lambda name=name: self.ask(name, ping) for name in self._spots})  # type: ignore[misc]
        waiting = set(self._spots)

        def is_last(seen: Seen) -> bool:
            if mark in seen.frame.data:
                waiting.discard(seen.spot.name)
            return not waiting

        frames, complete = self._captures.collect(is_last, LAST_FRAME_LIMIT)
        warnings = [] if complete else [f"{name}: the end of the capture did not come" for name in waiting]
        kept = [seen for seen in frames if mark not in seen.frame.data]
        return sorted(kept, key=lambda seen: seen.frame.time), warnings

    def route(self, place: str, target: IPv4Address, source: IPv4Address | None, device: str) -> Route:
        words = f"ip route get {target}"
        if source is not None:
            words += f" from {source} iif {device}"
        answer = self.ask(place, f'"${{enter[@]}}" {words}')
        line = answer.text.splitlines()[0].strip() if answer.text else ""
        found = _ROUTE.match(line) if answer.status == 0 else None
        if found is None or line.startswith("unreachable"):
            return Route(line or "no answer", "", None)
        next_hop = found[2] or str(target)
        return Route(" ".join(line.split()), found[3], IPv4Address(next_hop))


class _Analysis:
    """Joins what was seen, and asks for what explains it."""

    def __init__(
        self,
        tracer: _Tracer,
        network: Map,
        observed: Observed,
        *,
        request: Request,
        sender: str,
        targets: Sequence[str],
        probe: Answer,
    ) -> None:
        self._tracer = tracer
        self._map = network
        self._observed = observed
        self._sender = sender
        self._targets = targets
        self._probe = probe
        self._request = request

    def ways(self) -> tuple[TracedWay, ...]:
        request = chain_of(self._observed.of_way(Way.REQUEST), self._map, self._sender, self._targets)
        ways = [self._way(Way.REQUEST, request)]
        if request.delivered and not self._observed.refused_by_error:
            begin = request.hops[-1].sighting
            reply = chain_of(self._observed.of_way(Way.REPLY), self._map, begin.place, [self._sender])
            if reply.hops:
                ways.append(self._way(Way.REPLY, reply))
            elif self._request.protocol is not Protocol.UDP:
                ways.append(TracedWay(Way.REPLY, reply, self._never_answered(begin)))
        return tuple(ways)

    def _way(self, way: Way, chain: Chain) -> TracedWay:
        asked = asked_flow(self._request) if way is Way.REQUEST else None
        said: dict[int, Said] = {}
        for index, hop in enumerate(chain.hops):
            route = self._route_of(chain, index).text if hop.action is Action.FORWARDED else ""
            changed = changes(chain.hops, index, asked)
            rewriting = self._rewriting(chain.hops, index, asked) if changed else ()
            if route or rewriting:
                said[hop.number] = Said(route, rewriting)
        lost = None if chain.delivered else self._lost(chain)
        return TracedWay(way, chain, lost, said)

    def _rewriting(self, hops: Sequence[Hop], index: int, asked: Flow | None) -> tuple[str, ...]:
        """The entry of the connection; of a request also the rules of the table nat that met packets since.

        An answer is rewritten by the entry, and meets no rule.
        """
        sighting = hops[index].sighting
        before = hops[index - 1].sighting.flow if index else asked or sighting.flow
        flows = [before, sighting.flow]
        protocol = self._request.protocol
        listed = self._tracer.ask(sighting.place, f'"${{enter[@]}}" conntrack -L -p {protocol} 2>/dev/null')
        entries = [
            " ".join(line.split())
            for line in listed.text.splitlines()
            if all(_ends(flow) & set(_ENDS.findall(line)) for flow in flows)
        ]
        return (*entries[:1], *(() if asked is None else self._rules_met(sighting.place)))

    def _rules_met(self, place: str) -> list[str]:
        before = self._map.places[place].facts.rules
        after = self._tracer.facts_of(place).rules
        return [
            f"{rule} +{packets - before.get(rule, 0)}"
            for rule, packets in after.items()
            if packets > before.get(rule, 0) and _REWRITES.search(rule)
        ]

    def _never_answered(self, request: Sighting) -> Lost:
        route = self._tracer.route(request.place, request.flow.source, None, "")
        if not route.device:
            said = f"ip route get in {request.place}: {route.text}"
            reason = Reason(Code.NO_ROUTE, said, Confidence.CERTAIN)
        else:
            reason = Reason(Code.UNKNOWN, f"{request.place} sent no answer by any device", Confidence.LIKELY)
        return Lost(0, request.place, route.device, (reason,))

    def _route_of(self, chain: Chain, index: int) -> Route:
        """Of the packet as it came in, before the namespace sent it out again."""
        came, left = chain.hops[index - 1].sighting, chain.hops[index].sighting
        return self._tracer.route(came.place, left.flow.target, came.flow.source, came.device)

    def _lost(self, chain: Chain) -> Lost:
        if not chain.hops:
            return self._never_sent()
        last = chain.hops[-1].sighting
        route: Route | None = None
        place, device = last.place, ""
        if last.out:
            end = self._map.wire_end(last)
            place, device = (end[0].name, end[1].name) if end is not None else (last.place, "")
        else:
            route = self._tracer.route(last.place, last.flow.target, last.flow.source, last.device)
            device = route.device
        scene = self._scene(last, route, place, device)
        asked = self._observed.unanswered()
        return Lost(
            len(chain.hops),
            place,
            device,
            tuple(reasons_for(scene, self._observed.errors, asked)),
        )

    def _scene(self, last: Sighting, route: Route | None, place: str, device: str) -> Scene:
        before = self._map.places[last.place].facts
        elsewhere = place != last.place
        return Scene(
            last,
            last.place,
            before,
            self._tracer.facts_of(last.place),
            route,
            place,
            device,
            self._map.places[place].facts if elsewhere else None,
            self._tracer.facts_of(place) if elsewhere else None,
        )

    def _never_sent(self) -> Lost:
        said = " ".join(self._probe.text.split())
        reason = Reason.of_sender(said)
        return Lost(0, self._sender, "", (reason,))


def _verdict(ways: Sequence[TracedWay], observed: Observed, protocol: Protocol) -> Verdict:
    request = ways[0]
    if not request.chain.delivered:
        return Verdict.LOST
    if observed.refused:
        return Verdict.REFUSED
    answered = len(ways) > 1 and ways[1].chain.delivered
    if protocol is Protocol.UDP and len(ways) == 1:  # it asks for no answer
        return Verdict.DELIVERED
    return Verdict.DELIVERED if answered else Verdict.NO_REPLY
