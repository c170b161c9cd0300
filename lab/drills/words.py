"""A report in words, with each time beside the one that is configured."""

from __future__ import annotations

from collections.abc import Iterator

from lab.drills.findings import Change
from lab.drills.judgement import Held
from lab.drills.report import Report
from lab.drills.sources import LEADERS

_MARKS = {Held.YES: "yes", Held.NO: "NO", Held.UNKNOWN: "?"}


def report_text(report: Report) -> str:
    """Lines for a terminal."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    yield f"Drill {report.drill} in the lab {report.lab}, mode {report.mode}"
    yield f"{report.summary}: {', '.join(report.nodes)}"
    yield ""
    yield _configured(report)
    yield from _events(report)
    if report.gap_back.in_vain:
        yield (
            f"After it was put right the API was away for {report.gap_back.longest:.0f} s,"
            f" {report.gap_back.in_vain} of {report.gap_back.asked} questions in vain."
        )
    yield ""
    for judgement in report.judgements:
        because = f" ({judgement.because})" if judgement.because else ""
        yield f"{_MARKS[judgement.held]:>4}  {judgement.claim}{because}"
    yield ""
    yield f"Verdict: {_VERDICTS[report.held]}"


def _events(report: Report) -> Iterator[str]:
    """In the order in which they came."""
    times = report.times
    events = [
        *(
            (change.after, f"{change.what}: {change.to}{_multiple(report, change)}")
            for change in report.changes
        ),
        (times.healed - times.injured, "it was put right"),
        (times.ended - times.injured, "end of the observation"),
    ]
    for after, text in sorted(events):
        yield f"  {after:5.0f} s  {text}"


_VERDICTS = {
    Held.YES: "passed",
    Held.NO: "not passed",
    Held.UNKNOWN: "not judged: not all could be seen",
}


def _configured(report: Report) -> str:
    configured = report.configured
    return (
        f"Configured, at most: address taken over {configured.takeover:.0f} s, server that refuses"
        f" {configured.refusing:.0f} s, server that is gone {configured.gone:.0f} s, etcd's election"
        f" {configured.election:.0f} s, lease {configured.lease:.0f} s and {configured.retry:.0f} s"
    )


def _multiple(report: Report, change: Change) -> str:
    """Of what is configured; nothing for what came after it was put right."""
    configured = report.configured
    if change.after > report.times.healed - report.times.injured:
        return ""
    if change.what in LEADERS:
        return f"  ({change.after / configured.lease:.1f} leases)"
    if change.what == "etcd's leader":
        return f"  ({change.after / configured.election:.1f} elections)"
    return f"  ({change.after / configured.takeover:.1f} takeovers)" if configured.takeover else ""
