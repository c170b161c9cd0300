"""What is measured, and how `lab` is called for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
LAB = (sys.executable, "-m", "lab")


@dataclass(frozen=True)
class Run:
    """One measurement: its seconds as a whole, and of each step by name where it has steps."""

    seconds: float
    steps: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """A checkout of this project, whose `lab` is measured."""

    folder: Path = CHECKOUT

    def lab(self, *words: str, **environment: str) -> str:
        """Run a command of `lab`, its progress on the terminal; what it printed."""
        return subprocess.run(
            [*LAB, *words],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder), **environment},
        ).stdout

    def timed(self, *words: str) -> Run:
        """A command of `lab` from its start to its end."""
        started = time.monotonic()
        self.lab(*words)
        return Run(time.monotonic() - started)

    def timed_up(self, name: str, *words: str) -> Run:
        """`lab up` of the lab `name`, with its steps."""
        started = time.monotonic()
        printed = self.lab("up", "--name", name, "--json", *words)
        seconds = time.monotonic() - started
        return Run(seconds, {step["name"]: step["seconds"] for step in json.loads(printed)["steps"]})

    def take_down(self, name: str) -> Run:
        """`lab down`, of no seconds where there is no such lab."""
        exists = any(each["name"] == name for each in json.loads(self.lab("list", "--json")))
        return self.timed("down", "--name", name) if exists else Run(0.0)
