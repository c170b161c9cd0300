"""A report in words, with each time beside the one that is configured."""

from __future__ import annotations

from collections.abc import Iterator

from lab.drills.findings import Change
from lab.drills.report import Report
from lab.drills.sources import LEADERS
from lab.drills.verdict import Held

_MARKS = {Held.YES: "yes", Held.NO: "NO", Held.UNKNOWN: "?"}


def report_text(report: Report) -> str:
    """Lines for a terminal."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    yield f"Drill {report.drill} in the lab {report.lab}, mode {report.mode}"
    yield f"{report.summary}: {', '.join(report.nodes)}"
    yield ""
    yield _configured(report)
    for change in report.changes:
        yield f"  {change.after:5.0f} s  {change.what}: {change.to}{_multiple(report, change)}"
    yield f"  {report.times.healed - report.times.injured:5.0f} s  it was put right"
    yield f"  {report.times.ended - report.times.injured:5.0f} s  end of the observation"
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
    configured = report.configured
    if change.what in LEADERS:
        return f"  ({change.after / configured.lease:.1f} leases)"
    if change.what == "etcd's leader":
        return f"  ({change.after / configured.election:.1f} elections)"
    return f"  ({change.after / configured.takeover:.1f} takeovers)"
