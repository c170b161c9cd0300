"""What is measured, and how `lab` is called for it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

LAB = (sys.executable, "-m", "lab")


@dataclass(frozen=True)
class Run:
    """One measurement: its seconds as a whole, and of each step by name where it has steps."""

    seconds: float
    steps: Mapping[str, float] = field(default_factory=dict)


def timed(*words: str) -> Run:
    """A command of `lab` from its start to its end."""
    started = time.monotonic()
    lab(*words)
    return Run(time.monotonic() - started)


def timed_up(name: str, *words: str) -> Run:
    """`lab up` of the lab `name`, with its steps."""
    started = time.monotonic()
    printed = lab("up", "--name", name, "--json", *words)
    seconds = time.monotonic() - started
    return Run(seconds, {step["name"]: step["seconds"] for step in json.loads(printed)["steps"]})


def take_down(name: str) -> Run:
    """`lab down`, of no seconds where there is no such lab."""
    exists = any(each["name"] == name for each in json.loads(lab("list", "--json")))
    return timed("down", "--name", name) if exists else Run(0.0)


def lab(*words: str) -> str:
    """Run a command of `lab`, its progress on the terminal; what it printed."""
    return subprocess.run([*LAB, *words], check=True, stdout=subprocess.PIPE, text=True).stdout
