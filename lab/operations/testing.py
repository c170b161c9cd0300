"""The acceptance suite, run on a lab from inside its network."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import lab as package
from lab.foundation.errors import LabError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import ConsoleProgress, SilentProgress, seconds_text
from lab.operations.context import Lab
from lab.operations.rebuild import rebuild_lab

SUITE = Path(package.__file__).parent.parent / "acceptance"


def run_acceptance(
    folder: LabFolder, modes: Sequence[str], arguments: Sequence[str], progress: ConsoleProgress
) -> int:
    """Run the suite in each of the modes (none: in the mode the lab has) and return 0 or 1.

    The JUnit XML of each mode lands in the folder `reports` of the current directory.
    Raises LabError when the suite is not there or the lab does not run.
    """
    if not SUITE.is_dir():
        raise LabError(
            f"the acceptance suite is not in {SUITE}", resolution="run lab from a checkout of the project"
        )
    failed = []
    for mode in modes or (None,):
        if mode is not None and mode != Lab.open(folder, SilentProgress()).record.mode:
            rebuild_lab(folder, mode, progress)
        running = Lab.open(folder, SilentProgress()).record.mode
        if _run_suite(folder, running, arguments, progress) != 0:
            failed.append(running)
    if failed:
        progress.note(f"failed in mode {', '.join(failed)}")
    return 1 if failed else 0


def _run_suite(folder: LabFolder, mode: str, arguments: Sequence[str], progress: ConsoleProgress) -> int:
    report = Path("reports") / f"acceptance-{folder.name}-{mode}.xml"
    words = [sys.executable, "-m", "pytest", str(SUITE), f"--junitxml={report}", *arguments]
    started = time.monotonic()
    progress.note(f"acceptance suite of {mode} on {folder.name}")
    with progress.paused():
        status = subprocess.run(words, env={**os.environ, "LAB_NAME": folder.name}, check=False).returncode
    progress.note(f"acceptance suite of {mode}: {seconds_text(time.monotonic() - started)}, report {report}")
    return status
