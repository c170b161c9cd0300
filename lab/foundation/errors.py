"""Errors written for the person who must act on them."""

from __future__ import annotations


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
            parts.append(f"To mend it: {self.resolution}")
        return "\n".join(parts)


class WrongUseError(LabError):
    """The command line or an input file is wrong; nothing was started."""

    exit_code = 2
