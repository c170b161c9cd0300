"""The page: bars with their spread; self-contained, readable on a phone, in light, dark, black and white."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.bench.published import PUBLISHED
from lab.bench.result import Bench
from lab.bench.words import cost_text, measure_of, rows_of, warnings_of
from lab.foundation.html import render_html

TEMPLATE = Path(__file__).with_name("page.html.j2")
ROOM = 1.08
"""How much longer the scale is than what is on it."""


@dataclass(frozen=True)
class Bar:
    """One mode; positions are shares of the scale in percent."""

    mode: str
    text: str
    value: float | None
    """None where there is no figure."""
    least: float = 0.0
    most: float = 0.0


@dataclass(frozen=True)
class Chart:
    """One pair by one protocol in all modes, the cheapest first."""

    pair: str
    base: str
    protocol: str
    bars: tuple[Bar, ...]
    one: float
    """Where the base is."""


def charts_of(bench: Bench) -> tuple[Chart, ...]:
    kinds = dict.fromkeys(
        (series.pair, series.base, series.protocol) for mode in bench.modes for series in mode.series
    )
    return tuple(_chart(bench, *kind) for kind in kinds)


def _chart(bench: Bench, pair: str, base: str, protocol: str) -> Chart:
    found = [(mode, series) for mode in bench.modes if (series := mode.of(pair, protocol)) is not None]
    figures = {
        mode.mode: figure
        for mode, series in found
        if (figure := mode.cost(series)) is not None and not figure.noisy
    }
    full = max([1.0, *(figure.most for figure in figures.values())]) * ROOM
    share = 100.0 / full
    bars = [
        Bar(mode.mode, cost_text(mode, series), None)
        if (figure := figures.get(mode.mode)) is None
        else Bar(
            mode.mode,
            cost_text(mode, series),
            figure.value * share,
            figure.least * share,
            figure.most * share,
        )
        for mode, series in found
    ]
    bars.sort(key=lambda bar: (bar.value is None, bar.value or 0.0))
    return Chart(pair, base, protocol, tuple(bars), share)


def render_page(bench: Bench) -> str:
    """The HTML text."""
    return render_html(
        TEMPLATE,
        bench=bench,
        measure=measure_of(bench),
        emulated=bench.accelerator != "kvm",
        charts=charts_of(bench),
        rows=rows_of,
        warnings=warnings_of,
        published=PUBLISHED,
    )
