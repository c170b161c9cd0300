"""Whether a drill was passed: a judgement for each claim, none about what could not be seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lab.drills.configured import Configured
from lab.drills.drill import Course, Drill
from lab.drills.findings import Gap
from lab.drills.judgement import Held, Judgement


@dataclass(frozen=True)
class Observed:
    """What the verdict rests on."""

    happened: bool
    """A row shows what the drill did."""
    out: Gap | None
    """While what should take no write was not put right; None for other drills."""
    written_while_out: int
    gap: Gap
    """Without help; where none was expected, after it was put right."""
    pause: float
    """Of the writer, in the same span."""
    recovered: float | None
    """Seconds until all worked, in the same span."""
    whole: bool
    """Every control plane takes part at the end."""
    acknowledged: int
    """How many writes that were acknowledged must be stored."""
    lost: Mapping[str, tuple[str, ...] | None]
    """Writes that are missing, by member of etcd; None for a member that could not be asked."""
    forgotten: int = 0
    """How many acknowledged writes were to be gone, as they came after a backup."""
    remembered: int = 0
    """How many of them a member still has."""
    claims: tuple[Judgement, ...] = ()
    """What the drill itself has found."""


def allowed_gap(drill: Drill, configured: Configured) -> float:
    """Seconds for which the API may be away: twice what noticing takes, and a lease."""
    return 2 * drill.detection(configured) + configured.lease


def judge(drill: Drill, configured: Configured, observed: Observed) -> tuple[Judgement, ...]:
    """In the order in which people ask."""
    return (
        *([_happened(observed)] if drill.shows is not None else []),
        *observed.claims,
        *([_stayed_out(observed)] if drill.course is Course.STAYS_OUT else []),
        _nothing_lost(observed),
        *(
            [_went_back(observed)]
            if drill.course is Course.GOES_BACK
            else [_gap(drill, configured, observed)]
        ),
        _recovered(drill, observed),
        _whole(observed),
    )


def passed(judgements: tuple[Judgement, ...]) -> Held:
    """NO where a claim does not hold, else UNKNOWN where one was not judged."""
    held = {judgement.held for judgement in judgements}
    return next((each for each in (Held.NO, Held.UNKNOWN) if each in held), Held.YES)


def _happened(observed: Observed) -> Judgement:
    return Judgement(
        "what the drill does was seen to happen",
        Held.YES if observed.happened else Held.NO,
        "" if observed.happened else "no row of the observation shows it",
    )


def _stayed_out(observed: Observed) -> Judgement:
    claim = "without a majority nothing was acknowledged"
    if observed.out is None or observed.out.asked == 0:
        return Judgement(claim, Held.UNKNOWN, "the API was not asked meanwhile")
    reads = f"{observed.out.in_vain} of {observed.out.asked} reads failed"
    told = f"{observed.written_while_out} writes were; {reads}"
    return Judgement(claim, Held.NO if observed.written_while_out else Held.YES, told)


def _nothing_lost(observed: Observed) -> Judgement:
    claim = "no write that was acknowledged is lost"
    silent = [member for member, lost in observed.lost.items() if lost is None]
    missing = {member: lost for member, lost in observed.lost.items() if lost}
    if missing:
        told = "; ".join(f"{member} lacks {len(lost)}, first {lost[0]}" for member, lost in missing.items())
        return Judgement(claim, Held.NO, told)
    if not observed.acknowledged:
        return Judgement(claim, Held.UNKNOWN, "none was acknowledged")
    if silent or not observed.lost:
        return Judgement(claim, Held.UNKNOWN, f"not asked: {', '.join(silent) or 'every member of etcd'}")
    told = f"each of {len(observed.lost)} members of etcd has all {observed.acknowledged}"
    return Judgement(claim, Held.YES, told)


def _went_back(observed: Observed) -> Judgement:
    claim = "what was written after the backup is gone"
    if not observed.forgotten or None in observed.lost.values():
        return Judgement(claim, Held.UNKNOWN, "nothing was, or not every member of etcd could be asked")
    if observed.remembered:
        return Judgement(claim, Held.NO, f"{observed.remembered} of {observed.forgotten} are there")
    return Judgement(claim, Held.YES, f"{observed.forgotten} writes that were acknowledged")


def _gap(drill: Drill, configured: Configured, observed: Observed) -> Judgement:
    allowed, detection = allowed_gap(drill, configured), drill.detection(configured)
    claim = f"the API is away for at most {allowed:.0f} s: twice {detection:.0f} s to notice, and a lease"
    if observed.gap.asked == 0:
        return Judgement(claim, Held.UNKNOWN, "the API was not asked")
    longest = max(observed.gap.longest, observed.pause)
    told = (
        f"{observed.gap.longest:.0f} s for new connections ({observed.gap.in_vain} of {observed.gap.asked}"
        f" in vain), {observed.pause:.1f} s for the writer: {longest / detection:.1f} times"
    )
    return Judgement(claim, Held.YES if longest <= allowed else Held.NO, told)


def _recovered(drill: Drill, observed: Observed) -> Judgement:
    by_itself = drill.course is Course.RECOVERS
    claim = "all works again, by itself" if by_itself else "all works again once it was put right"
    if observed.recovered is None:
        return Judgement(claim, Held.NO, "not within the time")
    return Judgement(claim, Held.YES, f"after {observed.recovered:.0f} s")


def _whole(observed: Observed) -> Judgement:
    claim = "every control plane takes part again at the end"
    return Judgement(claim, Held.YES if observed.whole else Held.NO, "")
