"""A lab with a name of its own, beside the one that most tests of this folder share."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.state.records import lab_folder
from tests.real_lab.lab_under_test import TOPOLOGY


@dataclass(frozen=True)
class NamedLab:
    """`lab` for the lab of that name; a call runs the words, and returns what was printed."""

    name: str
    topology: str = TOPOLOGY
    mode: str = "macvlan"

    @property
    def folder(self) -> Path:
        return lab_folder(self.name).root

    def __call__(self, *words: str) -> str:
        """What it says of its progress goes to the terminal."""
        return self._run(words, {}, None)

    def told(self, *words: str, **environment: str) -> str:
        """The same with what it says of its progress."""
        return self._run(words, environment, subprocess.STDOUT)

    def ensure_up(self) -> None:
        self("up", "--topology", self.topology, "--mode", self.mode)

    def take_down(self) -> None:
        """Nothing where there is none."""
        subprocess.run(["lab", "down", "--name", self.name], check=False, capture_output=True)

    def _run(self, words: tuple[str, ...], environment: dict[str, str], stderr: int | None) -> str:
        done = subprocess.run(
            ["lab", *words],
            env={**os.environ, **environment, "LAB_NAME": self.name},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            check=False,
        )
        print(f"$ lab {' '.join(words)}\n{done.stdout}")  # noqa: T201 - pytest shows it
        assert done.returncode == 0, f"lab {' '.join(words)}: exit status {done.returncode}"
        return done.stdout
