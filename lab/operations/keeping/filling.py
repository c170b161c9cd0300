"""The modes that a lab can have, and installing them ahead, so that they come from the cache later."""

from __future__ import annotations

from collections.abc import Sequence

from lab.foundation.errors import WrongUseError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import Progress, SilentProgress
from lab.modes.registry import MODES
from lab.operations.context import Lab
from lab.operations.keeping.discarding import keep_what_was_made
from lab.operations.keeping.keep import is_kept
from lab.operations.rebuild import rebuild_lab
from lab.state.records import locked
from lab.topology.mode_choice import ModeChoice


def modes_for(folder: LabFolder, progress: Progress) -> tuple[str, ...]:
    """All modes and their variants for which the lab has what they need; those left out are told."""
    lab = Lab.open(folder, SilentProgress())
    able: list[str] = []
    for mode in MODES:
        try:
            lab.require_able(ModeChoice(mode.name))
            able += [mode.name, *(str(ModeChoice(mode.name, options)) for options in mode.variants)]
        except WrongUseError as error:
            progress.note(f"left out: {error.brief}: {error.details}")
    return tuple(able)


def fill_cache(
    folder: LabFolder, modes: Sequence[str], progress: Progress, *, discard: bool = True
) -> tuple[str, ...]:
    """Install each of the modes that the cache lacks, in this lab; returns those.

    At the end the lab is a clean cluster in the mode that it had; without `discard`, what users have made is
    told and kept before. Raises WrongUseError for a mode that there is not or that the lab cannot have,
    before anything is done; LabError when one does not come up or what was made cannot be kept.
    """
    lab = Lab.open(folder, SilentProgress())
    lab.require_running()
    present = lab.plan.choice
    wanted = [ModeChoice.parse(mode) for mode in modes]
    for choice in wanted:
        lab.require_able(choice)
    filled: list[str] = []
    try:
        for choice in wanted:
            if _lacks(folder, choice):
                if not (discard or filled):
                    keep_what_was_made(folder, "lab cache fill", progress)
                rebuild_lab(folder, str(choice), progress)
                filled.append(str(choice))
    finally:
        if filled:
            rebuild_lab(folder, str(present), progress)
    return tuple(filled)


def _lacks(folder: LabFolder, choice: ModeChoice) -> bool:
    with locked(folder):
        lab = Lab.open(folder, SilentProgress())
        lab.plan = lab.plan.in_mode(choice)
        return not is_kept(lab)
