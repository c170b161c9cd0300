"""What is wrong with a topology file, and where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from lab.foundation.errors import WrongUseError

KeyPath = tuple[str | int, ...]
"""The keys and list indices that lead to a value, such as ("nodes", "k8s-node1", "memory")."""

SHOWN_LENGTH = 80
"""Characters of a value that are shown where it is wrong."""


@dataclass(frozen=True, order=True)
class Position:
    """Line and column in a file, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Problem:
    """Something wrong at a value of the file, or with `at_key` at its key."""

    path: KeyPath
    text: str
    """What was found, what was expected."""
    at_key: bool = False


@dataclass(frozen=True)
class Finding:
    """Something wrong at a place in a file."""

    file: Path
    position: Position
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.position.line}:{self.position.column}: {self.text}"


class TopologyError(WrongUseError):
    """A topology file with all that is wrong in it."""

    def __init__(self, file: Path, findings: Iterable[Finding]) -> None:
        self.findings = tuple(sorted(set(findings), key=lambda finding: (finding.position, finding.text)))
        number = len(self.findings)
        super().__init__(
            f"{file} has {number} {'error' if number == 1 else 'errors'}; nothing was started",
            details="\n".join(map(str, self.findings)),
            resolution="correct the file and check it with `lab validate`;"
            " docs/topologies.md explains every key",
        )


def shortened(text: str) -> str:
    """The text as it is shown: of a long one, its beginning."""
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}..."


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` looks like."""
    by_folded = {candidate.lower(): candidate for candidate in known}
    close = get_close_matches(word.lower(), by_folded, n=1)
    return by_folded[close[0]] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a sentence that offers the known word that `word` looks like; empty when there is none."""
    close = closest(word, known)
    return f"; did you mean '{close}'?" if close else ""


def one_of(words: Iterable[str]) -> str:
    """The words in quotes, joined by commas and a last "or"."""
    quoted = [f"'{word}'" for word in words]
    if len(quoted) < 2:
        return "".join(quoted)
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}"
