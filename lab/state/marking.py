"""How far the marking of a folder has come, on disk: what was replayed is not replayed again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from lab.foundation.json_file import read_json, write_json
from lab.foundation.strict import STRICT


@dataclass(frozen=True, config=STRICT)
class Replay:
    """What a student's script did to a new lab with the same fault."""

    healthy: bool
    script: str
    """How it ended, one line for all nodes."""
    output: Mapping[str, str]
    """The last of what it printed, by node."""
    symptoms: tuple[str, ...]
    """What failed after it, a line for each topic."""
    seconds: float
    """Of all: the lab, the script and the suite."""


@dataclass(frozen=True, config=STRICT)
class MarkingState:
    """The replays that came to an end, of hand-ins of one key."""

    key: str
    lab: str
    """The one that was made for them; nobody else's is touched."""
    minutes: int
    """The time that scripts got."""
    replays: Mapping[str, Replay] = field(default_factory=dict)
    """By the SHA-256 of the hand-in's file."""


_STATE = TypeAdapter(MarkingState)


def read_marking(path: Path) -> MarkingState | None:
    """None when nothing was replayed yet. Raises LabError for another file."""
    return read_json(
        path, _STATE, what="the state of the marking", resolution="remove it: then all is replayed again"
    )


def write_marking(path: Path, state: MarkingState) -> None:
    write_json(path, state)
