"""The way of a packet and of its answer as a picture: a row for each, from left to right and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from scripts.docs_site.mode_ways import WIRE, Stop

WIDTH, HEIGHT, GAP, MARGIN = 96, 34, 22, 12
ROW = 74
TEXT = "#4d7fb8"
"""Readable on a light and on a dark page."""
INK, WRAPPED = "#808a94", "#c77d1e"


def mode_svg(legs: Sequence[Sequence[Stop]]) -> str:
    """The answer's row is drawn from right to left, so that each place is below itself."""
    there, back = legs
    width = MARGIN * 2 + len(there) * WIDTH + (len(there) - 1) * GAP
    height = MARGIN * 2 + ROW + HEIGHT + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        ' font-family="sans-serif" font-size="12">',
        *_row(there, 16, backwards=False),
        *_row(tuple(reversed(back)), 16 + ROW, backwards=True),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _row(stops: Sequence[Stop], top: int, *, backwards: bool) -> Iterator[str]:
    place = ""
    for number, stop in enumerate(stops):
        left = MARGIN + number * (WIDTH + GAP)
        if stop.place != place and not backwards:
            place = stop.place
            yield _text(left, top - 4, escape(place), anchor="start")
        colour = WRAPPED if "|" in stop.packet else INK
        dashes = ' stroke-dasharray="4 3"' if stop.role == WIRE else ""
        yield (
            f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" rx="5" fill="none"'
            f' stroke="{colour}" stroke-width="2"{dashes}/>'
        )
        yield _text(left + WIDTH // 2, top + HEIGHT // 2 + 4, escape(stop.device), anchor="middle")
        if number:
            yield _arrow(left, top + HEIGHT // 2, backwards=backwards)


def _text(x: int, y: int, text: str, *, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" fill="{TEXT}" text-anchor="{anchor}">{text}</text>'


def _arrow(right: int, y: int, *, backwards: bool) -> str:
    """In the gap that ends there."""
    start, end = (right - 3, right - GAP + 3) if backwards else (right - GAP + 3, right - 3)
    head = end + 6 if backwards else end - 6
    return (
        f'<path d="M{start} {y}H{end}M{head} {y - 4}L{end} {y}L{head} {y + 4}" stroke="{INK}" fill="none"/>'
    )
