"""A picture of a drill: a lane for each thing that was observed, a cell for each second."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lab.drills.judgement import Held
from lab.drills.observation import Row
from lab.drills.report import Report
from lab.drills.sampler import Outcome, Sight
from lab.drills.sources import CONTROLLER_MANAGER, SCHEDULER
from lab.drills.writer import Fate
from lab.topology.svg import Box, Canvas

LEFT, TOP, LANE, CELL = 170.0, 92.0, 26.0, 18.0
WIDTH = 760.0
"""Of the lanes, in pixels; so many seconds as there are share it."""
RIGHT = 30.0
EACH_LABEL = 10
"""Seconds between marks of the axis, or a multiple."""
MARKS = 12
"""How many marks there are at most."""

GOOD, BAD, NOTHING = "n3", "n5", "n0"
"""Colours: answered; in vain, or two where one should be; not asked or open."""
_NODES = ("n1", "n4", "n2", "n3", "n5")
"""Of the first three, none has a meaning of its own."""
_WORDS = {Held.YES: "passed", Held.NO: "not passed", Held.UNKNOWN: "not judged"}


@dataclass(frozen=True)
class Lane:
    name: str
    style: Callable[[Row], str | None]
    """The colour of a row's cell; None for an empty one."""


def plot_svg(report: Report) -> str:
    """The SVG text; colours of nodes are those of the legend."""
    rows = report.rows
    nodes = tuple(rows[0].members) if rows else ()
    lanes = _lanes(nodes)
    height = TOP + LANE * (len(lanes) + 1) + 74
    title = f"Drill {report.drill}: {_WORDS[report.held]}"
    canvas = Canvas(LEFT + WIDTH + RIGHT, height, title, report.summary)
    canvas.text(24, 36, title, "title ink")
    canvas.text(24, 58, f"{report.summary}: {', '.join(report.nodes)}", "soft")
    scale = _Scale(report)
    for number, lane in enumerate(lanes):
        _lane(canvas, lane, TOP + number * LANE, rows, scale)
    _writes(canvas, report, TOP + len(lanes) * LANE, scale)
    _axis(canvas, report, TOP + (len(lanes) + 1) * LANE, scale)
    _legend(canvas, nodes, height - 18)
    return canvas.finish()


class _Scale:
    """Places of instants."""

    def __init__(self, report: Report) -> None:
        self._began = report.times.began
        self._each = WIDTH / max(1.0, report.times.ended - report.times.began)

    def x(self, at: float) -> float:
        return LEFT + min(max(0.0, (at - self._began) * self._each), WIDTH)

    def width(self, seconds: float) -> float:
        return seconds * self._each


def _lanes(nodes: Sequence[str]) -> tuple[Lane, ...]:
    colours = {node: _NODES[number % len(_NODES)] for number, node in enumerate(nodes)}

    def of_node(name: str | None) -> str | None:
        return None if name is None else colours.get(name, NOTHING)

    def holder(row: Row) -> str | None:
        if row.holders is None:
            return NOTHING
        return of_node(next(iter(row.holders), None)) if len(row.holders) < 2 else BAD

    def lease(name: str) -> Callable[[Row], str | None]:
        return lambda row: of_node(found.node if (found := row.lease(name)) else None)

    return (
        Lane("API, new connections", lambda row: _of_sight(row.api)),
        Lane("who has its address", holder),
        Lane("etcd's leader", lambda row: of_node(row.leader[0] if row.leader else None)),
        Lane("controller manager", lease(CONTROLLER_MANAGER)),
        Lane("scheduler", lease(SCHEDULER)),
        *(Lane(f"etcd on {node}", _member_style(node)) for node in nodes),
        *(Lane(f"API server on {node}", _server_style(node)) for node in nodes),
    )


def _member_style(node: str) -> Callable[[Row], str]:
    return lambda row: _of_sight(row.members[node])


def _server_style(node: str) -> Callable[[Row], str]:
    return lambda row: _of_sight(row.servers[node])


def _of_sight(sight: Sight[object]) -> str:
    if sight.failed:
        return BAD
    return GOOD if sight.outcome is Outcome.ANSWERED else NOTHING


def _lane(canvas: Canvas, lane: Lane, y: float, rows: Sequence[Row], scale: _Scale) -> None:
    canvas.text(LEFT - 10, y + 13, lane.name, "small ink", "end")
    begin = 0
    styles = [lane.style(row) for row in rows]
    for place in range(1, len(rows) + 1):
        if place < len(rows) and styles[place] == styles[begin]:
            continue
        if (style := styles[begin]) is not None:
            # One box for all that look the same, so that the file stays small.
            left = scale.x(rows[begin].at)
            right = scale.x(rows[place].at) if place < len(rows) else scale.x(rows[-1].at + 1.0)
            canvas.box(Box(left, y, max(0.5, right - left), CELL), style, radius=1)
        begin = place


def _writes(canvas: Canvas, report: Report, y: float, scale: _Scale) -> None:
    """Each stretch in which writes were acknowledged one after the other, without a pause that one sees."""
    canvas.text(LEFT - 10, y + 13, "writes acknowledged", "small ink", "end")
    ends = [write.ended for write in report.writes if write.fate is Fate.ACKNOWLEDGED]
    together = max(1.0, 3 * report.write_every)
    begin = 0
    for place in range(1, len(ends) + 1):
        if place < len(ends) and ends[place] - ends[place - 1] <= together:
            continue
        left, right = scale.x(ends[begin]), scale.x(ends[place - 1])
        canvas.box(Box(left, y, max(1.0, right - left), CELL), GOOD, radius=1)
        begin = place


def _axis(canvas: Canvas, report: Report, y: float, scale: _Scale) -> None:
    times = report.times
    for at, word in ((times.injured, "hurt"), (times.healed, "put right")):
        canvas.wire(scale.x(at), TOP - 8, y, "n5" if word == "hurt" else "n1")
        canvas.text(scale.x(at) + 4, TOP - 10, word, "label soft")
    length = times.ended - times.began
    step = EACH_LABEL
    while length / step > MARKS:
        step *= 2
    first = -int((times.injured - times.began) // step) * step
    for seconds in range(first, int(times.ended - times.injured) + 1, step):
        canvas.text(scale.x(times.injured + seconds), y + 14, f"{seconds} s", "small soft", "middle")


def _legend(canvas: Canvas, nodes: Sequence[str], y: float) -> None:
    meanings = [(GOOD, "answered"), (BAD, "in vain, or two have it"), (NOTHING, "not asked, or open")]
    x = 24.0
    for style, word in meanings:
        x = _key(canvas, x, y, style, word)
    x += 20
    for number, node in enumerate(nodes):
        x = _key(canvas, x, y, _NODES[number % len(_NODES)], node)


def _key(canvas: Canvas, x: float, y: float, style: str, word: str) -> float:
    canvas.box(Box(x, y - 10, 12, 12), style, radius=2)
    canvas.text(x + 17, y, word, "small soft")
    return x + 17 + 6.4 * len(word) + 18
