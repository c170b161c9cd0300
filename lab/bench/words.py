"""Results as people read them."""

from __future__ import annotations

from dataclasses import dataclass

from lab.bench.result import Bench, ModeBench, Series


@dataclass(frozen=True)
class Row:
    """What is said of one pair by one protocol."""

    pair: str
    base: str
    protocol: str
    cost: str
    """Times the base."""
    more: str
    """Instructions more than the base."""
    headers: str
    """Bytes more than the base in each frame."""
    mtu: str


def rows_of(mode: ModeBench) -> tuple[Row, ...]:
    return tuple(
        Row(
            series.pair,
            series.base,
            series.protocol,
            cost_text(mode, series),
            more_text(mode, series),
            header_text(series),
            str(mode.mtu.get(series.pair, "")),
        )
        for series in mode.series
    )


def cost_text(mode: ModeBench, series: Series) -> str:
    """`1.35 (1.33-1.38)`, or why there is no figure."""
    if series.unreachable:
        return "no echo"
    figure = mode.cost(series)
    if figure is None:
        return "not measured"
    if figure.noisy:
        return f"noisy ({figure.width:.0%})"
    return f"{figure.value:.2f} ({figure.least:.2f}-{figure.most:.2f})"


def more_text(mode: ModeBench, series: Series) -> str:
    figure, more = mode.cost(series), mode.more_instructions(series)
    return "" if figure is None or figure.noisy or more is None else f"{more:+,.0f}"


def header_text(series: Series) -> str:
    more = series.header_bytes
    return "" if more is None else f"{more:+.0f}"


def warnings_of(mode: ModeBench) -> tuple[str, ...]:
    """What makes the figures less than they seem."""
    drifts = [
        f"{name}: the base beside itself is {control.value:.3f}, not 1.00: too noisy"
        for name, control in mode.controls.items()
        if not control.is_one
    ]
    repeated = [
        f"{series.pair} by {series.protocol}: {series.repeated} messages were sent again"
        for series in mode.series
        if series.repeated
    ]
    return (*drifts, *repeated)


def measure_of(bench: Bench) -> str:
    """What the figures count."""
    if bench.accelerator == "kvm":
        return "time of a round trip"
    return "guest instructions of a round trip, on all nodes that take part"
