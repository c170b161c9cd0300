"""A result as a lab would give it."""

from __future__ import annotations

from collections.abc import Sequence

from lab.bench.counter import Instructions
from lab.bench.result import BASE, Bench, ModeBench, Series
from lab.bench.samples import Batch, Sample

ROUNDS = 100
OPENING = 50_000
"""Instructions for the connection, whatever passes on it."""


def sample(instructions: float | None, *, octets: int = 212, frames: int = 2, repeated: int = 0) -> Sample:
    """Of round trips with so many instructions each."""

    def batch(rounds: int, again: int) -> Batch:
        counts = None if instructions is None else Instructions(round(instructions * rounds) + OPENING, 0)
        seconds = rounds * 1e-3
        return Batch(rounds, seconds, again, 900.0, 2000.0, counts, octets * rounds + 500, frames * rounds)

    return Sample(batch(ROUNDS, 0), batch(2 * ROUNDS, repeated))


def samples(values: Sequence[float | None], *, octets: int = 212, frames: int = 2) -> tuple[Sample, ...]:
    return tuple(sample(value, octets=octets, frames=frames) for value in values)


def series(
    values: Sequence[float | None],
    *,
    pair: str = "pod-to-pod",
    octets: int = 212,
    frames: int = 2,
    after: float | None = 1000.0,
) -> Series:
    """Beside a base of 1000 instructions; `after` are those of the base at the end of each block."""
    measured = samples(values, octets=octets, frames=frames)
    base = None if values and values[0] is None else 1000.0
    ends = samples([base if base is None else after] * len(values))
    return Series(pair, BASE, "udp", measured, samples([base] * len(values)), ends)


def silent(why: str) -> Series:
    return Series("lan-host-to-pod", "lan-host-to-node", "udp", (), (), (), why)


def mode(name: str, *found: Series, mtu: int = 1500) -> ModeBench:
    return ModeBench(name, found, {"pod-to-pod": mtu, BASE: 1500}, 60.0)


def bench(*modes: ModeBench, accelerator: str = "qemu") -> Bench:
    return Bench("mine", "underlay-3node", "2026-11-30T00:00:00Z", accelerator, "6.1.0", "7.2.22", 64, modes)
