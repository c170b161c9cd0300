"""What a wheel has besides the files of the checkout: the name of the commit it was built from."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMMIT = "lab/shipped/commit"
"""Read by lab/operations/report.py."""


class CommitHook(BuildHookInterface[Any]):
    """Called by hatchling, by its name in pyproject.toml."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        self._folder = Path(tempfile.mkdtemp())
        if version == "standard" and (commit := _commit(Path(self.root))):
            file = self._folder / "commit"
            file.write_text(f"{commit}\n", encoding="utf-8")
            build_data["force_include"][str(file)] = COMMIT

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        shutil.rmtree(self._folder)


def _commit(root: Path) -> str:
    """The commit of the checkout, and whether it was changed; empty where it is none, or without git."""
    if not (root / ".git").exists():
        return ""
    try:
        commit, changes = (
            subprocess.run(
                ["git", "-C", root, *words], capture_output=True, text=True, check=True
            ).stdout.strip()
            for words in (("rev-parse", "--short=12", "HEAD"), ("status", "--porcelain"))
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"commit {commit}" + (", with changes" if changes else "")
