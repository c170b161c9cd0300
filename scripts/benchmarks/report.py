"""The figures of one call on a terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from scripts.benchmarks.figures import Measured
from scripts.benchmarks.machine import Machine
from scripts.benchmarks.runs import Run
from scripts.benchmarks.tables import LABELS, aligned, command_rows, ratio_rows, size_rows, step_rows


@dataclass(frozen=True)
class Results:
    """The runs of one call, by mode and measurement, and what failed."""

    runs: Mapping[tuple[str, str], Sequence[Run]]
    failed: Sequence[str]
    then: Mapping[tuple[str, str], Sequence[Run]] = field(default_factory=dict)
    """Those of the commit that was measured too."""
    against: str | None = None

    @property
    def of_commands(self) -> tuple[Measured, ...]:
        return tuple(each for each in self._all if each.name in LABELS)

    @property
    def of_sizes(self) -> tuple[Measured, ...]:
        return tuple(each for each in self._all if each.name not in LABELS)

    @property
    def compared(self) -> tuple[tuple[Measured, Measured], ...]:
        """Here and at the other commit, where both were measured."""
        return tuple(
            (here, Measured.of(here.mode, here.name, self.then[here.mode, here.name]))
            for here in self._all
            if (here.mode, here.name) in self.then
        )

    @property
    def _all(self) -> Iterator[Measured]:
        order = {name: place for place, name in enumerate(LABELS)}
        for mode, name in sorted(self.runs, key=lambda key: order.get(key[1], len(order))):
            yield Measured.of(mode, name, self.runs[mode, name])


def as_json(results: Results, machine: Machine, command: str) -> str:
    told = {
        "command": command,
        "machine": asdict(machine),
        "measured": _runs(results.runs),
        "against": {"commit": results.against, "measured": _runs(results.then)} if results.against else None,
    }
    return json.dumps(told, indent=2) + "\n"


def _runs(runs: Mapping[tuple[str, str], Sequence[Run]]) -> list[dict[str, object]]:
    return [
        {"mode": mode, "name": name, "runs": [asdict(run) for run in found]}
        for (mode, name), found in runs.items()
    ]


def as_text(results: Results, machine: Machine, command: str) -> str:
    parts = [f"{command}\n{machine}"]
    if results.of_commands:
        parts.append(aligned(command_rows(results.of_commands)))
    parts += [
        f"{LABELS[each.name].parts.lower()} of {each.name}, mode {each.mode}\n{aligned(step_rows(each))}"
        for each in results.of_commands
        if each.steps
    ]
    if results.against is not None:
        parts.append(aligned(ratio_rows(results.compared, results.against)))
    if results.of_sizes:
        parts.append(aligned(size_rows(results.of_sizes)))
    return "\n\n".join(parts) + "\n"
