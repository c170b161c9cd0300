"""What follows from the rows of a drill and its writes; pure, by the clock of the observation.

What was not asked is left out everywhere: a gap reaches from the last answer before it to the first after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lab.drills.observation import Leases, Row
from lab.drills.sampler import INTERVAL, Sight
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
    """Seconds from one answer to the next, where something was asked in vain between them, or waited long."""
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
    """Of the questions that were due in the span.

    A time without answers counts where something was asked in vain in it, or waited for longer than a second:
    else nobody was asked.
    """
    told = [sight for sight in sights if sight.at <= span.end and not sight.unknown]
    within = [sight for sight in told if span.holds(sight.at)]
    ends = sorted(sight.at + sight.took for sight in told if not sight.failed)
    earlier = [end for end in ends if end < span.begin][-1:] or [span.begin]
    marks = [*earlier, *(end for end in ends if end >= span.begin)]
    waited = [sight.at for sight in within if sight.failed or sight.took > INTERVAL]
    stretches = [*pairwise(marks), (marks[-1], max(span.end, marks[-1]))]
    longest = max(
        (last - first for first, last in stretches if any(first <= at < last for at in waited)), default=0.0
    )
    vain = [sight.at for sight in within if sight.failed]
    disturbed = vain[-1] - vain[0] if vain else 0.0
    return Gap(longest, disturbed, len(within), len(vain), not vain or marks[-1] > vain[-1])


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
