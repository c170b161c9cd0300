"""Hand-ins made by a script, as `lab handin` makes them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from lab.exercises.handin import Claim, Found, HandIn, NodeFacts
from lab.state.exercise import Return

PASSED = '<testcase classname="acceptance.test_nodes" name="test_a" time="1"/>'
FAILED = (
    '<testcase classname="acceptance.test_nodes" name="test_b" time="1"><failure message="x"/></testcase>'
)
WENT_BACK = Return("went back to the snapshot mode-flannel-vxlan", "2026-11-30T10:30:00+00:00")
TRUTHFUL = Found("k8s-node2", "its firewall drops what it forwards")


def junit(*cases: str) -> str:
    return f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>"


def handin_of(
    student: str,
    *,
    healthy: bool = True,
    script: str = "",
    returns: Sequence[Return] = (),
    report: str | None = None,
    handed_in: str = "2026-11-30T11:00:00+00:00",
) -> HandIn:
    said = f"# Report of {student}\n" if report is None else report
    digests = {"report": hashlib.sha256(said.encode()).hexdigest()}
    if script:
        digests["script"] = hashlib.sha256(script.encode()).hexdigest()
    return HandIn(
        student=student,
        started="2026-11-30T10:00:00+00:00",
        handed_in=handed_in,
        found=(TRUTHFUL,),
        report=said,
        script=script,
        claim=Claim(healthy, True, tuple(returns)),
        before=junit(PASSED, FAILED),
        after=junit(PASSED, PASSED) if healthy else junit(PASSED, FAILED),
        nodes=(NodeFacts("k8s-node1", "6.1.0", "0", 100, "Kubernetes v1.24.10"),),
        program="lab",
        digests=digests,
    )
