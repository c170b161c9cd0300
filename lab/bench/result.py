"""What was measured, with every sample, as it is written to JSON and read from there again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from statistics import median
from typing import Any

from lab.bench.counter import Instructions
from lab.bench.samples import (
    Batch,
    Estimate,
    Ratio,
    Sample,
    counted,
    instructions_at,
    rate_of,
    ratio,
    time_of,
)

SCHEMA = "lab.bench/1"
BASE = "node-to-node"


@dataclass(frozen=True)
class Series:
    """The round trips between two ends by one protocol, and those of its base, measured in turn with them."""

    pair: str
    base: str
    """The pair that it is compared with."""
    protocol: str
    samples: tuple[Sample, ...]
    before: tuple[Sample, ...]
    """Of the base, in each block before the others."""
    after: tuple[Sample, ...]
    """Of the base, in each block after the others."""
    unreachable: str = ""
    """Why there are no samples."""

    @property
    def repeated(self) -> int:
        """Messages that had to be sent again."""
        return sum(sample.repeated for sample in self.samples)

    @property
    def bases(self) -> tuple[Sample, ...]:
        return (*self.before, *self.after)

    @property
    def has_instructions(self) -> bool:
        """Whether all samples have them, and there are enough."""
        return len(self.samples) > 1 and counted((*self.samples, *self.bases))

    @property
    def wire_bytes(self) -> float | None:
        """Of all frames of a round trip, at the node that answers: the median."""
        return median(sample.wire_bytes for sample in self.samples) if self.samples else None

    @property
    def wire_frames(self) -> float | None:
        return median(sample.wire_frames for sample in self.samples) if self.samples else None

    @property
    def header_bytes(self) -> float | None:
        """By how much a frame is longer than the base's; None where other numbers of frames pass."""
        here, passed = self.wire_bytes, self.wire_frames
        if here is None or passed is None:
            return None
        frames = round(median(sample.wire_frames for sample in self.bases))
        if frames == 0 or round(passed) != frames:
            return None
        return (here - median(sample.wire_bytes for sample in self.bases)) / frames


@dataclass(frozen=True)
class ModeBench:
    """What one mode costs."""

    mode: str
    series: tuple[Series, ...]
    mtu: Mapping[str, int]
    """The largest IP packet that passes unfragmented, by pair."""
    seconds: float
    problem: str = ""
    """Why nothing was measured."""

    def of(self, pair: str, protocol: str) -> Series | None:
        return next((each for each in self.series if (each.pair, each.protocol) == (pair, protocol)), None)

    @cached_property
    def rates(self) -> Mapping[str, float]:
        """Instructions that nodes execute in a second whether anybody asks or not, by the base.

        They are counted at the ends of the base: on two nodes, or on one.
        """
        return {base: self._rate(base) for base in {each.base for each in self.series}}

    def _rate(self, base: str) -> float:
        kinds: dict[tuple[str, str, int], list[Batch]] = {}
        for series in self.series:
            if series.base == base and series.has_instructions:
                for name, samples in ((series.pair, series.samples), (series.base, series.bases)):
                    for batch in (each for sample in samples for each in (sample.short, sample.long)):
                        kinds.setdefault((name, series.protocol, batch.rounds), []).append(batch)
        return rate_of(kinds.values())

    def cost(self, series: Series) -> Ratio | None:
        """A round trip beside one of the base: by instructions where they were counted, else by time."""
        return self._costs.get((series.pair, series.protocol))

    def more_instructions(self, series: Series) -> float | None:
        """In a round trip than in one of the base."""
        if not series.has_instructions:
            return None
        estimate = self._estimate(series)
        return estimate(series.samples) - estimate(series.bases)

    @cached_property
    def controls(self) -> Mapping[str, Ratio]:
        """The base beside itself, by name and protocol: the last of a block beside its first."""
        of_bases = {f"{each.base} by {each.protocol}": each for each in self.series if len(each.before) > 1}
        return {name: ratio(each.after, each.before, self._estimate(each)) for name, each in of_bases.items()}

    @cached_property
    def _costs(self) -> Mapping[tuple[str, str], Ratio]:
        return {
            (each.pair, each.protocol): ratio(each.samples, each.bases, self._estimate(each))
            for each in self.series
            if len(each.samples) > 1
        }

    def _estimate(self, series: Series) -> Estimate:
        return instructions_at(self.rates[series.base]) if series.has_instructions else time_of


@dataclass(frozen=True)
class Bench:
    """What modes cost on one lab, in one session."""

    lab: str
    topology: str
    started: str
    accelerator: str
    kernel: str
    """Linux' release on the nodes."""
    emulator: str
    """QEMU's version."""
    message_bytes: int
    modes: tuple[ModeBench, ...]

    def as_json(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self)}


def bench_of(said: Mapping[str, Any]) -> Bench:
    """What `as_json` wrote. Raises KeyError or TypeError for anything else."""
    fields = {name: value for name, value in said.items() if name not in {"schema", "modes"}}
    return Bench(**fields, modes=tuple(_mode(each) for each in said["modes"]))


def _mode(said: Mapping[str, Any]) -> ModeBench:
    fields = {name: value for name, value in said.items() if name != "series"}
    return ModeBench(**fields, series=tuple(_series(each) for each in said["series"]))


def _series(said: Mapping[str, Any]) -> Series:
    samples = {name: _samples(said[name]) for name in ("samples", "before", "after")}
    return Series(**{**said, **samples})


def _samples(said: Sequence[Mapping[str, Any]]) -> tuple[Sample, ...]:
    return tuple(Sample(_batch(each["short"]), _batch(each["long"])) for each in said)


def _batch(said: Mapping[str, Any]) -> Batch:
    counts = said["instructions"]
    return Batch(**{**said, "instructions": Instructions(**counts) if counts is not None else None})
