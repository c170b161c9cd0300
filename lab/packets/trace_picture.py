"""A trace as a picture: a lane for each place, a box for each frame that was captured, from top to bottom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lab.packets.sightings import Way
from lab.packets.trace import Trace, TracedWay, asked_flow, changes
from lab.packets.trace_text import VERDICTS, headers_text
from lab.packets.way import Action, Hop
from lab.topology.svg import Box, Canvas

MARGIN = 24.0
LANE, GUTTER = 118.0, 14.0
BOX_HEIGHT, ROW = 36.0, 54.0
LINE = 15.0
TITLE_HEIGHT, HEADING_HEIGHT = 64.0, 34.0
WORDS = 430.0
"""Width of what is written beside the lanes."""
CHARACTER = 7.0
"""Width of one of STYLE's monospaced characters, in pixels: 11.5 px in DejaVu Sans Mono."""
LONGEST = int(WORDS / CHARACTER)
LONGEST_NAME = 17


@dataclass(frozen=True)
class HopBox:
    box: Box
    hop: Hop
    lines: tuple[str, ...]
    """What is written beside it."""


@dataclass(frozen=True)
class WayLayout:
    way: TracedWay
    top: float
    hops: tuple[HopBox, ...]
    lost: tuple[str, ...]
    bottom: float


@dataclass(frozen=True)
class Layout:
    """Where everything is; nothing overlaps."""

    lanes: dict[str, float]
    """The left edge of each place's lane."""
    ways: tuple[WayLayout, ...]
    words: float
    """The left edge of what is written beside the lanes."""
    width: float
    height: float


def trace_svg(trace: Trace) -> str:
    layout = layout_of(trace)
    request = trace.request
    title = f"{request.sender} to {request.target}"
    canvas = Canvas(layout.width, layout.height, title, f"The way of a packet in mode {trace.mode}")
    canvas.text(MARGIN, MARGIN + 14, title, "heading ink")
    said = f"{request.protocol}, {request.size} bytes, mode {trace.mode}: {VERDICTS[trace.verdict]}"
    canvas.text(MARGIN, MARGIN + 34, said, "soft")
    for way in layout.ways:
        _draw_way(canvas, layout, way)
    legend = "each box is a captured frame, [n] its number; a double frame: wrapped in another packet"
    canvas.text(MARGIN, layout.height - 14, legend, "small soft")
    return canvas.finish()


def layout_of(trace: Trace) -> Layout:
    places = list(dict.fromkeys(hop.sighting.place for way in trace.ways for hop in way.chain.hops))
    lanes = {place: MARGIN + index * (LANE + GUTTER) for index, place in enumerate(places)}
    words = MARGIN + len(lanes) * (LANE + GUTTER) + GUTTER
    top = TITLE_HEIGHT + MARGIN
    ways: list[WayLayout] = []
    for way in trace.ways:
        ways.append(_way_layout(trace, way, lanes, top))
        top = ways[-1].bottom + MARGIN
    return Layout(lanes, tuple(ways), words, words + WORDS + MARGIN, top + MARGIN)


def _way_layout(trace: Trace, way: TracedWay, lanes: dict[str, float], top: float) -> WayLayout:
    asked = asked_flow(trace.request) if way.way is Way.REQUEST else None
    below = top + HEADING_HEIGHT
    boxes: list[HopBox] = []
    for index, hop in enumerate(way.chain.hops):
        lines = tuple(_lines(way, index, changes(way.chain.hops, index, asked)))
        box = Box(lanes[hop.sighting.place], below, LANE, BOX_HEIGHT)
        boxes.append(HopBox(box, hop, lines))
        below += max(ROW, LINE * len(lines) + ROW - BOX_HEIGHT)
    lost = tuple(_lost_lines(way))
    return WayLayout(way, top, tuple(boxes), lost, below + LINE * len(lost))


def _lines(way: TracedWay, index: int, changed: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    hop = way.chain.hops[index]
    if words := headers_text(way.chain.hops, index):
        yield from _folded(words)
    for name, old, new in changed:
        yield from _folded(f"{name}: {old} became {new}")
    if (said := way.said.get(hop.number)) is not None:
        for line in (said.route, *said.rewriting):
            if line:
                yield from _folded(f"says: {line}")


def _lost_lines(way: TracedWay) -> Iterator[str]:
    if way.lost is None:
        return
    yield f"lost here, on its way to {way.lost.place} {way.lost.device}".rstrip()
    for reason in way.lost.reasons:
        yield from _folded(f"{reason.code}, {reason.confidence}: {reason.evidence}")


def _folded(text: str) -> Iterator[str]:
    """In lines that fit beside the lanes, broken between words."""
    line = ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > LONGEST:
            yield line
            line = "  "
        line = f"{line} {word}".lstrip(" ") if line.strip() else line + word
    yield line[:LONGEST]


def _draw_way(canvas: Canvas, layout: Layout, way: WayLayout) -> None:
    name = way.way.way.value if way.hops else f"{way.way.way.value}: seen nowhere"
    canvas.text(MARGIN, way.top + 12, name, "heading ink")
    for place, left in layout.lanes.items() if way.hops else ():
        canvas.text(left + LANE / 2, way.top + HEADING_HEIGHT - 6, _short(place), "small soft", "middle")
    for before, after in zip(way.hops, way.hops[1:], strict=False):
        gap = after.hop.action is Action.UNEXPLAINED
        style = f"{'dashed ' if gap else ''}{_colour(after.hop)}"
        canvas.arrow((before.box.middle, before.box.bottom), (after.box.middle, after.box.y), style)
    for each in way.hops:
        _draw_hop(canvas, layout, each)
    for number, line in enumerate(way.lost):
        below = way.bottom - LINE * (len(way.lost) - number) + 4
        canvas.text(layout.words, below, line, "mono n5" if not number else "mono ink")


def _draw_hop(canvas: Canvas, layout: Layout, each: HopBox) -> None:
    box, hop = each.box, each.hop
    canvas.box(box, "card")
    canvas.box(box, f"{_colour(hop)} tint")
    if hop.sighting.depth > 1:
        canvas.box(Box(box.x + 3, box.y + 3, box.width - 6, box.height - 6), f"{_colour(hop)} tint", 4)
    arrow = "→" if hop.sighting.out else "←"
    canvas.text(box.middle, box.y + 15, f"{hop.sighting.device[:13]} {arrow}", "mono ink", "middle")
    canvas.text(box.middle, box.y + 29, f"{hop.action} [{hop.sighting.frame}]", "small soft", "middle")
    for number, line in enumerate(each.lines):
        canvas.text(layout.words, box.y + 15 + number * LINE, line, "mono ink")


def _colour(hop: Hop) -> str:
    return "n5" if hop.action is Action.UNEXPLAINED else "n2" if hop.sighting.depth > 1 else "n1"


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"…{name[-LONGEST_NAME + 1 :]}"
