"""What a step is, and how a list of steps is worked off: what is done already is skipped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lab.foundation.progress import StepContext, StepTime
from lab.operations.context import Lab


class Step(Protocol):
    """One visible piece of work on a lab.

    `done` looks at what exists, not at what was once recorded, so that a step whose result was lost
    (a host that was rebooted, a VM that was killed) is run again. `run` may start from any half-done state
    that an earlier, killed `run` left.
    """

    @property
    def name(self) -> str: ...

    def done(self, lab: Lab) -> bool: ...

    def run(self, lab: Lab, at: StepContext) -> None: ...


class NamedStep(Step, Protocol):
    """A step at which users may let `lab up` end."""

    @property
    def key(self) -> str:
        """A short name, one word."""
        ...


def run_steps(lab: Lab, steps: Sequence[Step]) -> tuple[StepTime, ...]:
    """Run the steps in order, skipping what is done; return the times of those that ran, in seconds."""
    ran: list[StepTime] = []
    for step in steps:
        if step.done(lab):
            continue
        with lab.progress.step(step.name) as at:
            step.run(lab, at)
        took = lab.progress.times[-1]
        lab.update(lab.record.with_step(step.name, took.seconds))
        ran.append(took)
    return tuple(ran)
