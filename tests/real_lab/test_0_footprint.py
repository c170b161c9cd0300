"""What the endurance tests see of processes that a command left: no lab is needed for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import subprocess
from tests.real_lab import footprint
footprint.END_SECONDS = 0.5
footprint.adopt_orphans()
subprocess.run(["sh", "-c", "setsid sh -c 'sleep PAUSE; exit' </dev/null >/dev/null 2>&1 &"], check=True)
for words in footprint.children_left():
    print(words)
"""


def left_by_a_command(seconds: str) -> str:
    words = [sys.executable, "-c", PROGRAM.replace("PAUSE", seconds)]
    return subprocess.run(
        words, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    ).stdout


def test_a_process_that_outlives_its_parents_is_seen() -> None:
    assert left_by_a_command("3") == "sh -c sleep 3; exit \n"


def test_one_that_ends_is_none() -> None:
    assert left_by_a_command("0.1") == ""
