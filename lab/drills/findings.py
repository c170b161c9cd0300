"""What follows from the rows of a drill and its writes; pure, by the clock of the observation.

What was not asked is left out everywhere: a gap reaches from the last answer before it to the first after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lab.drills.observation import Leases, Row
from lab.drills.sampler import Outcome, Sight
from lab.drills.sources import LEADERS
from lab.drills.writer import Fate, Write


@dataclass(frozen=True)
class Span:
    """A stretch of an observation; seconds."""

    begin: float
    end: float

    def holds(self, at: float) -> bool:
        return self.begin <= at <= self.end


@dataclass(frozen=True)
class Gap:
    """How the API was reached in a span."""

    longest: float
    """Seconds from a question that was answered to the next one that was, where there was another between."""
    disturbed: float
    """Seconds from the first question in vain to the last."""
    asked: int
    in_vain: int
    ended: bool
    """Whether there was an answer after the last question in vain."""


@dataclass(frozen=True)
class Change:
    """Something that became another; `after` is in seconds since the injury."""

    what: str
    after: float
    to: str


def gap_of(sights: Iterable[Sight[Leases]], span: Span) -> Gap:
    """Of the questions that were due in the span, and of the last answer before it."""
    told = [sight for sight in sights if sight.failed or sight.outcome is Outcome.ANSWERED]
    within = [sight for sight in told if span.holds(sight.at)]
    before = [sight for sight in told if sight.at < span.begin and not sight.failed][-1:]
    longest, last_good, pending = 0.0, before[0].at if before else span.begin, False
    for sight in within:
        if sight.failed:
            pending = True
            continue
        if pending:
            longest = max(longest, sight.at - last_good)
        last_good, pending = sight.at, False
    if pending:
        longest = max(longest, span.end - last_good)
    vain = [sight.at for sight in within if sight.failed]
    disturbed = vain[-1] - vain[0] if vain else 0.0
    return Gap(longest, disturbed, len(within), len(vain), not pending)


def writer_pause(writes: Iterable[Write], span: Span) -> float:
    """The longest time without an acknowledgement that began or ended in the span; seconds."""
    ends = [write.ended for write in writes if write.fate is Fate.ACKNOWLEDGED]
    earlier = [end for end in ends if end < span.begin][-1:] or [span.begin]
    later = [end for end in ends if end > span.end][:1] or [span.end]
    marks = [*earlier, *(end for end in ends if span.holds(end)), *later]
    return max(after - before for before, after in pairwise(marks))


def changes_of(rows: Sequence[Row], injured: float) -> tuple[Change, ...]:
    """Of the address, etcd's leader and the two leases, since the injury, in their order."""
    found = [
        *_changes("the API's address", rows, injured, _address),
        *_changes("etcd's leader", rows, injured, lambda row: row.leader[0] if row.leader else None),
    ]
    for name in LEADERS:
        found += _changes(name, rows, injured, _holder_of(name))
    return tuple(sorted(found, key=lambda change: change.after))


def _address(row: Row) -> str | None:
    return None if row.holders is None else ", ".join(sorted(row.holders)) or "nobody"


def _holder_of(name: str) -> Callable[[Row], str | None]:
    def holder(row: Row) -> str | None:
        lease = row.lease(name)
        return lease.node if lease is not None else None

    return holder


def _changes(
    what: str, rows: Sequence[Row], injured: float, value: Callable[[Row], str | None]
) -> list[Change]:
    last, found = None, []
    for row in rows:
        now = value(row)
        if now is None or now == last:
            continue
        if last is not None and row.at >= injured:
            found.append(Change(what, row.at - injured, now))
        last = now
    return found


def recovered_after(rows: Iterable[Row], span: Span, good: Callable[[Row], bool | None]) -> float | None:
    """Seconds from the span's begin to the row from which on all are good to its end.

    None where the last one is not. Rows of which it is not known are left out.
    """
    good_from = None
    for row in rows:
        held = good(row) if span.holds(row.at) else None
        if held is False:
            good_from = None
        elif held and good_from is None:
            good_from = row.at
    return None if good_from is None else good_from - span.begin


def must_be_stored(writes: Iterable[Write], forgotten: Span | None) -> frozenset[str]:
    """Names of those that were acknowledged, but for those of which a part lies in what is forgotten."""
    return frozenset(
        write.name
        for write in writes
        if write.fate is Fate.ACKNOWLEDGED
        and (forgotten is None or write.ended < forgotten.begin or write.began > forgotten.end)
    )


def must_be_gone(writes: Iterable[Write], forgotten: Span | None) -> frozenset[str]:
    """Names of those that were acknowledged within what is forgotten."""
    return frozenset(
        write.name
        for write in writes
        if write.fate is Fate.ACKNOWLEDGED
        and forgotten is not None
        and forgotten.begin < write.began
        and write.ended < forgotten.end
    )
