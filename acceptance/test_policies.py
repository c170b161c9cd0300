"""NetworkPolicies: who gets through is what they say, or, where nobody enforces them, everybody."""

from __future__ import annotations

import pytest

from acceptance.evidence import Evidence, PolicySight
from acceptance.matrix import table
from acceptance.probes import Protocol
from acceptance.problems import Problem
from acceptance.report import SEEN, Record, causes

pytestmark = pytest.mark.life


def test_policy(policy: str, evidence: Evidence, record_property: Record) -> None:
    """Every pair of pods of three namespaces, while the policy is in force."""
    if isinstance(evidence.policies, Problem):
        pytest.fail(f"not tried: {evidence.policies}\n{causes(evidence, ())}", pytrace=False)
    sights = [sight for sight in evidence.policies if sight.case == policy]
    if not sights:
        pytest.skip("the lab has so many nodes that the namespace has no pods")
    seen = truth_table(sights)
    if wrong := [line for sight in sights if (line := wrong_with(sight))]:
        said = "\n".join(wrong)
        pytest.fail(f"{said}\n\n{seen}\n\n{causes(evidence, ())}", pytrace=False)
    forbidden = sum(sight.forbidden for sight in sights)
    words = f"{len(sights)} questions, {forbidden} of them forbidden"
    if evidence.expectations.policies == "not-enforced":
        words = f"not enforced: {words}, all answered"
    record_property(SEEN, f"{words}\n{seen}")


def wrong_with(sight: PolicySight) -> str:
    """What is wrong with one pair; empty when nothing is."""
    asked, answer = f"{sight.sender} to {sight.target} by {sight.protocol}", sight.answer
    if not answer.asked:
        return f"{asked}: not asked: {answer.error}"
    if answer.answered == sight.must_answer:
        return ""
    if not sight.must_answer:
        return f"{asked}: answered, and the policy forbids it"
    if sight.forbidden:
        return f"{asked}: no answer, though nobody enforces policies in this mode: {answer.error}"
    return f"{asked}: no answer, and the policy allows it: {answer.error}"


def truth_table(sights: list[PolicySight]) -> str:
    """Rows from, columns to; what was seen, by TCP and, where that was asked, by UDP."""
    texts: dict[tuple[str, str], str] = {}
    for sight in sorted(sights, key=lambda each: each.protocol is Protocol.UDP):
        place = sight.sender, sight.target
        said = "yes" if sight.answer.answered else "no" if sight.answer.asked else "?"
        texts[place] = f"{texts[place]}/{said}" if place in texts else said
    return table(
        texts,
        sorted({sight.sender for sight in sights}),
        sorted({sight.target for sight in sights}),
    )
