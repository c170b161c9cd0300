"""A trace as text: a line for each sighting, at most 100 columns as long as names are short."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from lab.packets.headers import Ethernet, Header, IPv4
from lab.packets.sightings import Way
from lab.packets.trace import Said, Trace, TracedWay, Verdict, asked_flow, changes
from lab.packets.way import Action, Hop

COLUMNS = 100

VERDICTS = {
    Verdict.DELIVERED: "delivered",
    Verdict.NO_REPLY: "delivered, but no answer was seen to come back",
    Verdict.REFUSED: "refused: nobody listens there",
    Verdict.ANSWERED: "answered, but not seen to arrive",
    Verdict.LOST: "lost",
}


def trace_text(trace: Trace) -> str:
    return "\n".join(_lines(trace))


def _lines(trace: Trace) -> Iterator[str]:
    request = trace.request
    yield f"{request.sender} to {request.target}, {request.protocol}, {request.size} bytes"
    yield f"mode {trace.mode}: {VERDICTS[trace.verdict]}"
    for way in trace.ways:
        yield ""
        yield from _way_lines(trace, way)
    for warning in trace.warnings:
        yield f"note: {warning}"


def _way_lines(trace: Trace, way: TracedWay) -> Iterator[str]:
    hops = way.chain.hops
    yield f"{way.way}:" if hops else f"{way.way}: seen nowhere"
    places = max((len(hop.sighting.place) for hop in hops), default=0)
    devices = max((len(hop.sighting.device) for hop in hops), default=0)
    asked = asked_flow(trace.request) if way.way is Way.REQUEST else None
    indent = " " * (places + devices + 7)
    for index, hop in enumerate(hops):
        sighting = hop.sighting
        if hop.action is Action.UNEXPLAINED:
            yield "    -- gap: what came between was not seen --"
        arrow = ">" if sighting.out else "<"
        where = f"{sighting.place:<{places}} {arrow} {sighting.device:<{devices}}"
        what = f"{headers_text(hops, index)} [{sighting.frame}]".strip()
        yield f"{hop.number:>2}  {where} {hop.action:<9}  {what}"
        for name, old, new in changes(hops, index, asked):
            yield f"{indent}{name}: {old} became {new}"
        said = way.said.get(hop.number, Said())
        for line in filter(None, (said.route, *said.rewriting)):
            yield from _folded(f"says: {line}", indent)
    if way.lost is not None:
        yield from _lost_lines(way)


def _lost_lines(way: TracedWay) -> Iterator[str]:
    lost = way.lost
    assert lost is not None
    after = f"after hop {lost.after_hop}" if lost.after_hop else "before its first device"
    where = f", on its way to {lost.device} of {lost.place}" if lost.device else f" in {lost.place}"
    yield f"    not seen {after}{where}:"
    for reason in lost.reasons:
        yield from _folded(f"{reason.code}, {reason.confidence}: {reason.evidence}", " " * 6)


def _folded(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        COLUMNS,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def headers_text(hops: Sequence[Hop], index: int) -> str:
    """All headers of the first hop, and after a gap; else what is new: the outer ones, or the TTL."""
    hop = hops[index]
    before = hops[index - 1].sighting if index else None
    words = _headers(hop.sighting.headers)
    if before is not None and hop.action is not Action.UNEXPLAINED:
        outer, inner = _outer(hop.sighting.headers), hop.sighting.innermost
        wrapped = hop.sighting.depth > before.depth
        ttl = "" if inner.ttl == before.innermost.ttl else f"TTL {inner.ttl}"
        words = " | ".join(filter(None, (*(map(_short, outer) if wrapped else ()), ttl)))
    return words


def _headers(headers: Sequence[Header]) -> str:
    outer = _outer(headers)
    told = [header for header in headers if not isinstance(header, Ethernet)]
    return " | ".join([*map(_short, outer), *map(str, told[len(outer) :])])


def _outer(headers: Sequence[Header]) -> Sequence[Header]:
    """What is around the innermost packet."""
    told: list[Header] = [header for header in headers if not isinstance(header, Ethernet)]
    last = max((index for index, header in enumerate(told) if isinstance(header, IPv4)), default=0)
    return told[:last]


def _short(header: Header) -> str:
    return f"{header.source} > {header.target}" if isinstance(header, IPv4) else str(header)
