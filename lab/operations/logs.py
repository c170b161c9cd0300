"""The logs of a lab: one file per step, tool and node console."""

from __future__ import annotations

import difflib
import shutil
import sys
from pathlib import Path

from lab.foundation.errors import WrongUseError
from lab.foundation.paths import LabFolder


def log_files(folder: LabFolder) -> tuple[Path, ...]:
    """All log files of the lab, by name."""
    return tuple(sorted(path for path in folder.logs.rglob("*.log") if path.is_file()))


def print_log(folder: LabFolder, name: str) -> None:
    """Copy the log of that name to stdout. Raises WrongUseError with the nearest names."""
    logs = {path.stem: path for path in log_files(folder)}
    if name not in logs:
        near = difflib.get_close_matches(name, logs, n=3)
        raise WrongUseError(
            f"the lab {folder.name} has no log named {name}",
            details=f"did you mean {' or '.join(near)}?" if near else None,
            resolution="`lab logs` lists them",
        )
    with logs[name].open(errors="replace") as log:
        shutil.copyfileobj(log, sys.stdout)
