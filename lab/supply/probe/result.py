"""What sources answered."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.supply.probe.questions import Wanted


@dataclass(frozen=True)
class Answer:
    """One source, by its host, for one thing."""

    host: str
    why_not: str
    """Why it does not have the thing; empty when it has."""
    seconds: float

    @property
    def has_it(self) -> bool:
        return not self.why_not


@dataclass(frozen=True)
class Found:
    """One thing, with the answers of its sources in the order in which the supply asks them."""

    wanted: Wanted
    answers: tuple[Answer, ...]

    @property
    def somewhere(self) -> bool:
        return any(answer.has_it for answer in self.answers)

    @property
    def seconds(self) -> float:
        """Of the slowest answer."""
        return max((answer.seconds for answer in self.answers), default=0.0)

    def as_json(self) -> dict[str, Any]:
        wanted = self.wanted
        return {
            "kind": wanted.kind,
            "name": wanted.name,
            "somewhere": self.somewhere,
            "without": wanted.without,
            "unasked": wanted.unasked,
            "answers": [{"has_it": each.has_it, **dataclasses.asdict(each)} for each in self.answers],
        }


@dataclass(frozen=True)
class ProbeResult:
    """All things, and the hosts that did not answer at all, with the reason."""

    found: tuple[Found, ...]
    unreachable: Mapping[str, str]
    seconds: float

    @property
    def nowhere(self) -> tuple[Found, ...]:
        return tuple(found for found in self.found if not found.somewhere)

    def as_json(self) -> dict[str, Any]:
        return {
            "complete": not self.nowhere,
            "seconds": round(self.seconds, 1),
            "unreachable": dict(self.unreachable),
            "things": [found.as_json() for found in self.found],
        }
