"""What of a text tells the fault of an exercise, and whose number draws which."""

from __future__ import annotations

from collections.abc import Iterable

from lab.exercises.exercise import Exercise, PoolEntry, drawn
from lab.faults.registry import fault_named
from scripts.fault_table.words import line_that_names

NUMBERS = range(2023001, 2023100)


def causes_in(text: str, entries: Iterable[PoolEntry]) -> list[str]:
    """What of the text tells one of the faults: its name, its summary, a cause in the suite's own words."""
    told = []
    for entry in entries:
        fault = fault_named(entry.fault)
        told += [word for word in (fault.name, fault.summary) if word in text]
        told.append(line_that_names(fault.name, entry.node or "k8s-node2", text))
    return [each for each in told if each]


def students_with(exercise: Exercise, entry: str) -> list[str]:
    """The numbers that draw it."""
    return [number for number in map(str, NUMBERS) if PoolEntry.parse(entry) in drawn(exercise, number)]
