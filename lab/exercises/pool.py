"""The pool of a recipe: whether its faults can be in that lab, and stay there until somebody mends them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lab.exercises.exercise import PoolEntry
from lab.faults.registry import FAULTS, fault_named
from lab.faults.target import require_fit, target_of
from lab.foundation.errors import WrongUseError
from lab.topology.findings import Problem, did_you_mean, one_of
from lab.topology.plan import Plan

_EVERYWHERE = ("",)
MENDED_WITHOUT_HANDS: dict[str, tuple[tuple[str, ...], str]] = {
    "clock-off": (_EVERYWHERE, "`lab resume` sets the clocks right"),
    "ip-forward-off": (("flannel", "routed", "hybridnet"), "its CNI plugin sets it right when a pod starts"),
    "rp-filter-strict": (("hybridnet",), "its CNI plugin sets it right when a pod starts"),
}
"""In which modes, by the beginnings of their names, a fault goes away although nobody has mended it: why."""


def pool_problems(pool: Sequence[str | None], draw: int | None, plan: Plan | None) -> Iterator[Problem]:
    """What is wrong with the entries, which are None where they are no text; `plan` is None without a lab."""
    seen: dict[PoolEntry, int] = {}
    for index, word in enumerate(pool):
        if word is None:
            continue
        entry = PoolEntry.parse(word)
        where = ("faults", index)
        if entry in seen:
            yield Problem(where, f"found '{word}' a second time, expected it once")
        seen.setdefault(entry, index)
        names = [fault.name for fault in FAULTS]
        if entry.fault not in names:
            known = f"one of those that `lab fault list` shows{did_you_mean(entry.fault, names)}"
            yield Problem(where, f"found the unknown fault '{entry.fault}', expected {known}")
        elif plan is not None and (why := _why_not(entry, plan)):
            yield Problem(where, f"found '{word}', expected a fault for this lab: {why}")
    faults = len({entry.fault for entry in seen})
    if draw is not None and faults and draw > faults:
        yield Problem(
            ("draw",), f"found '{draw}', expected at most the {faults} different faults of the pool"
        )


def naming_problems(pool: Sequence[str | None], **texts: str | None) -> Iterator[Problem]:
    """What students read must not name a fault of the pool."""
    names = {PoolEntry.parse(word).fault for word in pool if word is not None}
    for key, text in texts.items():
        told = sorted(name for name in names if text is not None and name in text)
        if told:
            yield Problem((key,), f"found {one_of(told)}, expected no name of a fault: students read it")


def _why_not(entry: PoolEntry, plan: Plan) -> str:
    """Empty when the lab can have the fault there."""
    fault = fault_named(entry.fault)
    try:
        require_fit(fault, plan)
        target_of(fault, entry.node or None, plan)
    except WrongUseError as error:
        return f"{error.brief}; {error.details or error.resolution}"
    modes, why = MENDED_WITHOUT_HANDS.get(entry.fault, ((), ""))
    return why if plan.mode.startswith(modes) else ""
