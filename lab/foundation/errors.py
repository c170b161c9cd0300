"""Errors written for the person who must act on them."""

from __future__ import annotations

import errno

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


class LabError(Exception):
    """Something the user can understand and act on.

    `brief` says what failed, `details` why (may span lines), `resolution` what to do.
    """

    exit_code = 1

    def __init__(self, brief: str, *, details: str | None = None, resolution: str | None = None) -> None:
        super().__init__(brief)
        self.brief = brief
        self.details = details
        self.resolution = resolution

    def __str__(self) -> str:
        parts = [self.brief]
        if self.details:
            parts.append(self.details)
        if self.resolution:
            parts.append(f"How to fix it: {self.resolution}")
        return "\n".join(parts)


class WrongUseError(LabError):
    """The command line or an input file is wrong; nothing was started."""

    exit_code = 2


def refused_by_system(brief: str, error: OSError) -> LabError:
    """The error for what the system refused: `brief` says what, then comes why, and what helps against it."""
    why = error.strerror or str(error)
    if error.errno in _FULL:
        why = "the disk is full"
        resolution = "free some space there, then run the same command again"
    elif error.errno in _FORBIDDEN:
        resolution = "see who may write there (ls -ld), or run the same command as root"
    else:
        resolution = (
            "see what is there (ls -ld), and what LAB_HOME and LAB_CACHE say, then run the same command again"
        )
    return LabError(f"{brief}: {why}", resolution=resolution)
