"""What went wrong around the checks themselves, kept as text so that a failing check can say it."""

from __future__ import annotations

from dataclasses import dataclass


class SuiteError(Exception):
    """The suite cannot judge at all; the text says why and which command helps."""


@dataclass(frozen=True)
class Problem:
    """Why a piece of evidence could not be had."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Unasked(Problem):
    """Why a question was not put: nothing is known of whom it was for, not even that it is silent."""
