"""From counts of round trips to what one of them costs."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lab.bench.counter import Instructions

MICROSECONDS = 1e6
RESAMPLES = 400
"""How often blocks are drawn anew, for the interval of a ratio."""
SEED = 1
"""So that the same samples always give the same interval."""
INTERVAL = 0.95
ALLOWED_WIDTH = 0.03
"""Half the width of a ratio's interval, beside the ratio, above which it is noise, and is not given."""
ALLOWED_DRIFT = 0.02
"""By how much the base beside itself may be off 1.00."""


@dataclass(frozen=True)
class Batch:
    """What was counted while `rounds` messages went and came back, one after the other."""

    rounds: int
    seconds: float
    """By the clock of the node that asked."""
    repeated: int
    """Messages that were sent again, as no echo came."""
    p50: float
    """Median time of a round trip, microseconds."""
    p99: float
    instructions: Instructions | None
    """Of the nodes between which the base is measured; None where nobody counts them."""
    wire_bytes: int
    """Of all frames that passed the NICs of the node that answers, Ethernet headers included."""
    wire_frames: int


@dataclass(frozen=True)
class Sample:
    """Two batches, the second with twice as many rounds. What they have in common cancels out."""

    short: Batch
    long: Batch

    @property
    def rounds(self) -> int:
        return self.long.rounds - self.short.rounds

    @property
    def microseconds(self) -> float:
        """Of one round trip."""
        return (self.long.seconds - self.short.seconds) / self.rounds * MICROSECONDS

    @property
    def wire_bytes(self) -> float:
        return (self.long.wire_bytes - self.short.wire_bytes) / self.rounds

    @property
    def wire_frames(self) -> float:
        return (self.long.wire_frames - self.short.wire_frames) / self.rounds

    @property
    def repeated(self) -> int:
        return self.short.repeated + self.long.repeated


Estimate = Callable[[Sequence[Sample]], float]
"""What a round trip costs, from samples."""


def rate_of(alike: Iterable[Sequence[Batch]]) -> float:
    """Instructions that the nodes execute in a second whether anybody asks or not: timers, for the most part.

    `alike` are groups of batches of one kind, with instructions: those that took longer have more of them.
    By least squares, with a mean for each group; 0 when all took equally long.
    """
    above = below = 0.0
    for batches in alike:
        seconds = statistics.fmean(each.seconds for each in batches)
        instructions = statistics.fmean(map(_all, batches))
        above += sum((each.seconds - seconds) * (_all(each) - instructions) for each in batches)
        below += sum((each.seconds - seconds) ** 2 for each in batches)
    return max(0.0, above / below) if below else 0.0


def instructions_at(rate: float) -> Estimate:
    """Instructions of a round trip, beside those that nodes execute anyway at `rate` in a second.

    The difference of the medians of long and short batches. All samples must have instructions.
    """

    def own(batch: Batch) -> float:
        return _all(batch) - rate * batch.seconds

    def estimate(samples: Sequence[Sample]) -> float:
        longs, shorts = ([own(each.long) for each in samples], [own(each.short) for each in samples])
        return (statistics.median(longs) - statistics.median(shorts)) / samples[0].rounds

    return estimate


def time_of(samples: Sequence[Sample]) -> float:
    """Microseconds of a round trip: the median."""
    return statistics.median(each.microseconds for each in samples)


@dataclass(frozen=True)
class Ratio:
    """How many times the base something costs."""

    value: float
    least: float
    most: float
    """The ends of the interval in which it is, by the bootstrap, for INTERVAL of all runs."""

    @property
    def width(self) -> float:
        """Half of the interval, beside the ratio."""
        return (self.most - self.least) / 2 / abs(self.value)

    @property
    def noisy(self) -> bool:
        return self.width > ALLOWED_WIDTH

    @property
    def is_one(self) -> bool:
        return self.least - ALLOWED_DRIFT <= 1 <= self.most + ALLOWED_DRIFT


def ratio(samples: Sequence[Sample], bases: Sequence[Sample], estimate: Estimate) -> Ratio:
    """Of samples to those of the base; of at least two of each."""
    draw = random.Random(SEED)
    drawn = sorted(
        estimate(draw.choices(samples, k=len(samples))) / estimate(draw.choices(bases, k=len(bases)))
        for _ in range(RESAMPLES)
    )
    outside = round(RESAMPLES * (1 - INTERVAL) / 2)
    return Ratio(estimate(samples) / estimate(bases), drawn[outside], drawn[-1 - outside])


def counted(samples: Sequence[Sample]) -> bool:
    """Whether all of them have instructions."""
    return all(each.short.instructions is not None and each.long.instructions is not None for each in samples)


def _all(batch: Batch) -> int:
    assert batch.instructions is not None
    return batch.instructions.all
