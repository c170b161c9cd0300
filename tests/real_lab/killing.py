"""A command of `lab` ended by SIGKILL at a moment that is seen from outside, not at a time by the clock."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.foundation.wait import Deadline, NotYetError, wait_for

MOMENT_LIMIT = 3600.0
"""Seconds until the moment must have come: a first `lab up` without KVM, on a busy machine."""
BEGUN = "... "
"""How `lab` begins the line of a step that it begins, where it does not write to a terminal."""


@dataclass(frozen=True)
class Moment:
    """Within a step of a command: when the step has begun and the condition holds."""

    step: str
    reached: Callable[[], bool]


def kill_at(moment: Moment, words: Sequence[str], log: Path) -> None:
    """Start the command and end it at that moment; what it says on stderr goes to `log`.

    Fails when the command ends before, and when the step was over before the command was.
    """
    with log.open("w") as stderr:
        command = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=stderr)
    try:
        wait_for(
            lambda: _check_reached(moment, command, log),
            what=f"{moment.step!r} of {' '.join(words)}",
            deadline=Deadline(MOMENT_LIMIT),
            interval=0.1,
        )
    finally:
        command.kill()
        status = command.wait()
    assert status < 0, f"the command ended by itself: {log.read_text()}"
    steps = under_way(log)
    assert moment.step in steps, f"it was killed in {', '.join(steps)}, not in {moment.step}"


def _check_reached(moment: Moment, command: subprocess.Popen[bytes], log: Path) -> None:
    if command.poll() is not None:
        pytest.fail(f"the command ended before {moment.step!r}:\n{log.read_text()}")
    if moment.step not in under_way(log):
        raise NotYetError(f"under way: {', '.join(under_way(log)) or 'nothing'}")
    if not moment.reached():
        raise NotYetError(f"{moment.step} has begun")


def under_way(log: Path) -> list[str]:
    """The steps that the command has begun and not ended."""
    lines = log.read_text().splitlines()
    begun = [line.removeprefix(BEGUN) for line in lines if line.startswith(BEGUN)]
    # As `lab` writes them: "    ok  kubeadm init  1 min 05 s".
    fields = [line.strip().split("  ") for line in lines]
    ended = {each[1] for each in fields if len(each) == 3 and each[0] in ("ok", "failed")}
    return [step for step in begun if step not in ended]
