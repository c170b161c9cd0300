"""From counts to the cost of a round trip."""

from __future__ import annotations

import random

import pytest

from lab.bench.counter import Instructions
from lab.bench.samples import Batch, Sample, instructions_at, rate_of, ratio, time_of
from tests.bench.results import ROUNDS, sample, samples


def slowly(draw: random.Random, cost: float, rate: float) -> Sample:
    """Round trips of that cost, on a machine that is disturbed: it takes its time, and works meanwhile."""

    def batch(rounds: int) -> Batch:
        seconds = rounds * 1e-3 * (1 + draw.expovariate(1))
        counts = Instructions(round(cost * rounds + rate * seconds), 5000)
        return Batch(rounds, seconds, 0, 900.0, 2000.0, counts, 0, 0)

    return Sample(batch(ROUNDS), batch(2 * ROUNDS))


def test_what_both_batches_have_in_common_cancels_out() -> None:
    found = sample(350.0)
    assert instructions_at(0.0)([found]) == 350.0
    assert found.microseconds == pytest.approx(1000.0)
    assert (found.wire_bytes, found.wire_frames) == (212.0, 2.0)


def test_what_nodes_do_anyway_is_found_and_taken_off() -> None:
    draw = random.Random(7)
    measured = [slowly(draw, 60_000.0, 2e6) for _ in range(9)]
    rate = rate_of([[each.short for each in measured], [each.long for each in measured]])
    assert rate == pytest.approx(2e6, rel=0.01)
    assert instructions_at(rate)(measured) == pytest.approx(60_000.0, rel=0.01)
    assert instructions_at(0.0)(measured) > 62_000.0


def test_batches_that_took_equally_long_tell_no_rate() -> None:
    assert rate_of([[each.short for each in samples([100.0, 110.0])]]) == 0.0


def test_a_single_burst_changes_nothing() -> None:
    values = [100.0, 101.0, 100.0, 99.0, 100.0]
    assert instructions_at(0.0)(samples([*values, 900.0])) == pytest.approx(100.0, rel=0.01)


def test_a_ratio_has_an_interval_that_is_the_same_each_time() -> None:
    values, bases = samples([118.0, 120.0, 122.0, 121.0, 119.0]), samples([99.0, 100.0, 101.0] * 3)
    found = ratio(values, bases, instructions_at(0.0))
    assert found == ratio(values, bases, instructions_at(0.0))
    assert found.value == pytest.approx(1.2)
    assert found.least < 1.2 < found.most
    assert not found.noisy
    assert not found.is_one


def test_values_all_over_the_place_are_noise() -> None:
    values = samples([100.0, 300.0, 150.0, 90.0, 220.0])
    assert ratio(values, samples([100.0] * 5), instructions_at(0.0)).noisy


def test_without_a_counter_time_is_the_measure() -> None:
    assert time_of(samples([None, None, None])) == pytest.approx(1000.0)
