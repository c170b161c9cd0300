"""What is kept of a drill: all rows and writes, what follows from them, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lab.drills.configured import Configured
from lab.drills.findings import Change, Gap
from lab.drills.judgement import Held, Judgement
from lab.drills.observation import Row
from lab.drills.sampler import Sight
from lab.drills.verdict import passed
from lab.drills.writer import Write


@dataclass(frozen=True)
class Times:
    """Of the stages, by the clock of the observation; seconds."""

    began: float
    injured: float
    """When what the drill does was begun."""
    healed: float
    """When putting it right was begun."""
    ended: float


@dataclass(frozen=True)
class Report:
    """A drill that was run."""

    drill: str
    summary: str
    lab: str
    mode: str
    started: str
    """UTC, ISO 8601."""
    nodes: tuple[str, ...]
    """Whom it hit."""
    configured: Configured
    detection: float
    write_every: float
    times: Times
    gap: Gap
    """Of the span that the verdict is about."""
    gap_back: Gap
    """After it was put right."""
    pause: float
    changes: tuple[Change, ...]
    judgements: tuple[Judgement, ...]
    rows: tuple[Row, ...]
    writes: tuple[Write, ...]

    @property
    def held(self) -> Held:
        return passed(self.judgements)

    def as_json(self) -> dict[str, Any]:
        """Times count from the injury."""
        own = {name: getattr(self, name) for name in _PLAIN}
        zero = self.times.injured
        return {
            **own,
            "nodes": list(self.nodes),
            "verdict": self.held.value,
            "configured": asdict(self.configured),
            "times": {name: at - zero for name, at in asdict(self.times).items()},
            "gap": asdict(self.gap),
            "gap_back": asdict(self.gap_back),
            "changes": [asdict(change) for change in self.changes],
            "judgements": [asdict(judgement) for judgement in self.judgements],
            "rows": [_row_json(row, zero) for row in self.rows],
            "writes": [
                {**asdict(write), "began": write.began - zero, "ended": write.ended - zero}
                for write in self.writes
            ],
        }


_PLAIN = (
    "drill",
    "summary",
    "lab",
    "mode",
    "started",
    "detection",
    "write_every",
    "pause",
)


def _row_json(row: Row, zero: float) -> dict[str, Any]:
    leases = row.api.value
    return {
        "after": row.at - zero,
        "api": _sight_json(row.api),
        "address": {**_sight_json(row.holder), "nodes": sorted(row.holders or ())},
        "leader": None if row.leader is None else {"node": row.leader[0], "term": row.leader[1]},
        "leases": None if leases is None else {name: asdict(lease) for name, lease in leases.items()},
        "servers": _sights_json(row.servers),
        "members": _sights_json(row.members),
    }


def _sights_json(sights: Mapping[str, Sight[Any]]) -> dict[str, Any]:
    return {node: _sight_json(sight) for node, sight in sights.items()}


def _sight_json(sight: Sight[Any]) -> dict[str, Any]:
    return {"outcome": sight.outcome.value, "reason": sight.reason, "took": round(sight.took, 3)}
