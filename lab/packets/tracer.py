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
from lab.packets.analysis import Analysis
from lab.packets.capture import Answer, Captures, Seen
from lab.packets.facts import FACTS_SCRIPT, NamespaceFacts
from lab.packets.observed import Observed
from lab.packets.protocols import Protocol
from lab.packets.reasons import Route
from lab.packets.spots import Spot
from lab.packets.trace import Request, TracedWay, Verdict
from lab.packets.way import Map, Place

_HEADERS = 28
"""Bytes of the IP header and of ICMP's or UDP's."""
KEPT_BYTES = 256
"""Of each frame: three times Ethernet, IP, UDP or TCP, and the token."""
ANSWER_SECONDS = 5
ASK_LIMIT = 60.0
"""Seconds for what a namespace says of itself, on an emulated node that is busy."""
LAST_FRAME_LIMIT = 20.0
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
        namespaces = _Namespaces(captures, scenario.spots)
        before = namespaces.facts()
        said = captures.ask(sender, _probe(request), ASK_LIMIT)
        frames, warnings = namespaces.all_frames()
        asked = request.target.address, request.target.port
        observed = Observed.of(frames, request.protocol, bytes.fromhex(request.token), asked, sender.name)
        places = [Place(spot.name, spot.machine.name, before[spot.name]) for spot in scenario.spots]
        analysis = Analysis(
            namespaces,
            Map(places),
            observed,
            request=request,
            sender=sender.name,
            targets=[spot.name for spot in scenario.targets],
            probe=said,
        )
        ways = analysis.ways()
    verdict = _verdict(ways, observed, request.protocol)
    if verdict in (Verdict.NO_REPLY, Verdict.ANSWERED) and said.status == 0:
        warnings.append(f"the program that asked in {sender.name} says that it got an answer")
    return Traced(verdict, ways, tuple(warnings), tuple(frames))


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


class _Namespaces:
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


def _verdict(ways: Sequence[TracedWay], observed: Observed, protocol: Protocol) -> Verdict:
    request = ways[0]
    if not request.chain.delivered:
        return Verdict.ANSWERED if len(ways) > 1 else Verdict.LOST
    if observed.refused:
        return Verdict.REFUSED
    answered = len(ways) > 1 and ways[1].chain.delivered
    if protocol is Protocol.UDP and len(ways) == 1:  # it asks for no answer
        return Verdict.DELIVERED
    return Verdict.DELIVERED if answered else Verdict.NO_REPLY
