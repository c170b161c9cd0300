"""Another commit of this project, to be measured beside this one."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.benchmarks.runs import CHECKOUT, Program


@contextmanager
def program_of(commit: str) -> Iterator[Program]:
    """The commit checked out into a folder of its own, with this checkout's Python packages.

    Raises CalledProcessError when git has no such commit.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "checkout"
        _git("worktree", "add", "--quiet", "--detach", str(place), commit)
        try:
            yield Program(place)
        finally:
            _git("worktree", "remove", "--force", str(place))


def _git(*words: str) -> None:
    subprocess.run(["git", "-C", CHECKOUT, *words], check=True)
