"""One bash for all commands of a page, so that variables which one sets are there for the next."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.docs_run.blocks import Command

_BEGINS = "@@command "
_SPLIT = re.compile(rf"^{_BEGINS}(\d+)$", re.M)


@dataclass(frozen=True)
class Ran:
    """A command of the page that was begun."""

    command: Command
    output: str
    problem: str
    """Empty for one that ended well and printed what the page shows."""


def run_commands(commands: Sequence[Command], folder: Path, env: Mapping[str, str]) -> list[Ran]:
    """Run them in their order in that folder, up to the first that fails; `env` is added."""
    with tempfile.TemporaryDirectory() as scratch:
        script = Path(scratch) / "page.sh"
        script.write_text(_script(commands))
        done = subprocess.run(
            ["bash", str(script)],
            cwd=folder,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    _, *begun = _SPLIT.split(done.stdout)
    texts = [output.strip("\n") for output in begun[1::2]]
    statuses = [*[0] * (len(texts) - 1), done.returncode]
    return [
        Ran(command, text, _problem(command, text, status))
        for command, text, status in zip(commands, texts, statuses, strict=False)
    ]


def _script(commands: Sequence[Command]) -> str:
    lines = ["set -euo pipefail"]
    for number, command in enumerate(commands):
        lines += [f"printf '\\n{_BEGINS}{number}\\n'", command.text]
    return "\n".join(lines) + "\n"


def _problem(command: Command, output: str, status: int) -> str:
    if status != 0:
        return f"exit status {status}"
    if lacking := command.lacking(output):
        return f"it has not printed, in this order: {lacking}"
    return ""
