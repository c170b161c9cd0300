"""What is said of one claim about a drill."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Held(StrEnum):
    """Whether a claim holds."""

    YES = "holds"
    NO = "does not hold"
    UNKNOWN = "not judged"


@dataclass(frozen=True)
class Judgement:
    claim: str
    held: Held
    because: str
