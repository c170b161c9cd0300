"""Programs that a door is made with, and that a lab needs for nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from lab.foundation.environment import search_path
from lab.foundation.errors import LabError


def require_installed(packages: Mapping[str, str], door: str) -> None:
    """Raises LabError that names the Debian packages, by program, of what is not installed."""
    lacking = {program: package for program, package in packages.items() if not _installed(program)}
    if lacking:
        verb = "is" if len(lacking) == 1 else "are"
        raise LabError(
            f"{' and '.join(lacking)} {verb} not installed, and {door} needs it",
            resolution=f"apt install {' '.join(lacking.values())}",
        )


def _installed(program: str) -> bool:
    return shutil.which(program, path=search_path()) is not None
