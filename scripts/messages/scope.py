"""Whose messages are in the catalogue: those of these files, all of them. Others are shown in English."""

from __future__ import annotations

from pathlib import Path

from scripts.messages.extracting import Message, messages_of

ROOT = Path(__file__).parents[2]
FILES = (
    "lab/cli/common.py",
    "lab/cli/endings.py",
    "lab/cli/exercises.py",
    "lab/cli/main.py",
    "lab/cli/marking.py",
    "lab/cli/tables.py",
    "lab/exercises/*.py",
    "lab/cluster/*.py",
    "lab/faults/registry.py",
    "lab/faults/target.py",
    "lab/foundation/*.py",
    "lab/host/*.py",
    "lab/machines/*.py",
    "lab/nodes/*.py",
    "lab/operations/*_steps.py",
    "lab/operations/access.py",
    "lab/operations/context.py",
    "lab/operations/down.py",
    "lab/operations/exercises/*.py",
    "lab/operations/faults.py",
    "lab/operations/keeping/discarding.py",
    "lab/operations/keeping/keep.py",
    "lab/operations/keeping/snapshots.py",
    "lab/operations/health.py",
    "lab/operations/images.py",
    "lab/operations/logs.py",
    "lab/operations/planning.py",
    "lab/operations/rebuild.py",
    "lab/operations/software.py",
    "lab/operations/status.py",
    "lab/operations/suite_page/*",
    "lab/operations/testing.py",
    "lab/operations/up.py",
    "lab/modes/**/*.py",
    "lab/state/*.py",
    "lab/supply/box/*.py",
    "lab/supply/cache.py",
    "lab/supply/choice.py",
    "lab/supply/go_build.py",
    "lab/supply/go_download.py",
    "lab/supply/go_toolchain.py",
    "lab/supply/on_demand.py",
    "lab/supply/packages.py",
    "lab/topology/loader.py",
    "lab/topology/mode_choice.py",
)


def messages_in_scope() -> tuple[Message, ...]:
    files = {path for pattern in FILES for path in ROOT.glob(pattern) if path.suffix in (".py", ".j2")}
    return messages_of(ROOT, files)
