"""Who reaches whom, and which source address the target sees: the whole matrix."""

from __future__ import annotations

import pytest

from acceptance.evidence import Evidence
from acceptance.matrix import Cell, Pair, mistakes
from acceptance.probes import Protocol
from acceptance.problems import Problem
from acceptance.questions import matrix_probe
from acceptance.report import SEEN, Record, causes, cell_failure, cell_seen, judge, matrix_table


def test_reach(pair: Pair, evidence: Evidence, record_property: Record) -> None:
    """One cell: ping, TCP and UDP answer or not as the mode's expectations say, from the right source."""
    wrong = judge(evidence, pair)
    if wrong:
        pytest.fail(cell_failure(evidence, pair, wrong), pytrace=False)
    record_property(SEEN, cell_seen(evidence, pair))


def test_whole_matrix(evidence: Evidence, record_property: Record) -> None:
    """All cells together, as one table."""
    record_property(SEEN, matrix_table(evidence))
    wrong = [pair for pair in evidence.pairs if judge(evidence, pair)]
    if wrong:
        nodes = [endpoint.node for pair in wrong for endpoint in (pair.sender, pair.target)]
        pytest.fail(
            f"{len(wrong)} of {len(evidence.pairs)} cells are not as expected (in capitals):\n\n"
            f"{matrix_table(evidence)}\n\n{causes(evidence, nodes)}",
            pytrace=False,
        )


def test_with_a_route_on_the_lan_host(routed_pair: Pair, evidence: Evidence) -> None:
    """Where nothing wraps the pods' packets, all the LAN host lacks is a route to the node's block."""
    expected = evidence.expectations.lan_route
    assert expected is not None, "only such modes have this check"
    pair, answers = routed_pair, evidence.with_lan_routes
    if isinstance(answers, Problem):
        pytest.fail(f"not tried: {answers}", pytrace=False)
    if (problem := evidence.problem_of(pair.target)) is not None:
        pytest.fail(f"not tried: {problem}", pytrace=False)
    seen = {
        protocol: answers[pair.sender, probe.key]
        for protocol in Protocol
        if (probe := matrix_probe(pair, protocol, evidence.addresses[pair.target])) is not None
    }
    wrong = mistakes(Cell(pair, seen), expected, evidence.sources(pair.sender))
    if wrong:
        said = "\n".join(wrong)
        pytest.fail(
            f"{pair.label} with a route:\n{said}\n{causes(evidence, (pair.target.node,))}", pytrace=False
        )
