"""Kept labs in the cache: what there is, and making room."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from lab.foundation.errors import WrongUseError
from lab.foundation.progress import Progress
from lab.state.kept_labs import KeptLab, KeptLabs, gib_bytes, limit_bytes


@dataclass(frozen=True)
class KeptRow:
    """One kept lab."""

    topology: str
    mode: str
    made: str
    """UTC, ISO 8601."""
    size: int
    """Bytes."""
    key: str

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def kept_rows() -> tuple[KeptRow, ...]:
    """All kept labs, the one used last first."""
    return tuple(_row(kept) for kept in KeptLabs().all())


def prune_kept(gib: float | None, progress: Progress) -> tuple[KeptRow, ...]:
    """Remove the labs used longest ago until the rest takes at most `gib`, by default the limit.

    Raises WrongUseError for what is no amount.
    """
    try:
        limit = limit_bytes() if gib is None else gib_bytes(gib)
    except ValueError as error:
        raise WrongUseError(str(error), resolution="lab cache prune --to 5") from None
    with progress.step("make room in the cache"):
        return tuple(_row(kept) for kept in KeptLabs().prune(limit))


def _row(kept: KeptLab) -> KeptRow:
    return KeptRow(kept.kind.topology, kept.kind.mode, kept.made, kept.size, kept.kind.key)
