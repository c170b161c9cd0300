"""What a student is told of a lab that is not well: which checks fail, and never why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import Enum, auto

from lab.foundation.language import marked
from lab.operations.suite_page import Check, Outcome, judged


class _Told(Enum):
    """What of a failing check names no cause."""

    CHECK = auto()
    """Its name, and between whom."""
    PLACE = auto()
    """Between whom, or where."""
    NUMBER = auto()
    """That it fails: its name, or the node, would be the cause."""


_TOLD = {
    marked("reachability"): _Told.PLACE,
    marked("services"): _Told.CHECK,
    marked("loss"): _Told.PLACE,
    marked("life"): _Told.CHECK,
    marked("coursework"): _Told.CHECK,
    marked("wire"): _Told.PLACE,
    marked("pod addresses"): _Told.PLACE,
    marked("data path"): _Told.NUMBER,
    marked("nodes"): _Told.NUMBER,
    marked("lan"): _Told.NUMBER,
    marked("policies"): _Told.CHECK,
    marked("control planes"): _Told.NUMBER,
    marked("found"): _Told.NUMBER,
}
"""By the topics of the suite; of others the number is told."""


@dataclass(frozen=True)
class Symptom:
    """The failing checks of one topic."""

    topic: str
    failed: int
    judged: int
    """How many checks of the topic were run."""
    where: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def symptoms_of(checks: Iterable[Check]) -> tuple[Symptom, ...]:
    """The topics with failing checks, in the suite's order, without a word of the checks' messages."""
    by_topic: defaultdict[str, list[Check]] = defaultdict(list)
    for check in judged(checks):
        by_topic[check.topic].append(check)
    return tuple(symptom for topic, each in by_topic.items() if (symptom := _symptom(topic, each)).failed)


def _symptom(topic: str, checks: list[Check]) -> Symptom:
    failed = [check for check in checks if check.outcome is Outcome.FAILED]
    where = dict.fromkeys(word for check in failed for word in _where(check))
    return Symptom(topic, len(failed), len(checks), tuple(where))


def _where(check: Check) -> Iterator[str]:
    told = _TOLD.get(check.topic, _Told.NUMBER)
    if told is _Told.NUMBER:
        return
    place = check.parameter.replace("-to-", " to ")
    words = (check.function, place) if told is _Told.CHECK else (place,)
    if said := ": ".join(word for word in words if word):
        yield said
