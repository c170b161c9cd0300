"""Who reaches whom, and which source address the target sees: the whole matrix."""

from __future__ import annotations

import pytest

from acceptance.evidence import Evidence
from acceptance.matrix import Pair
from acceptance.report import causes, cell_failure, judge, matrix_table


def test_reach(pair: Pair, evidence: Evidence) -> None:
    """One cell: ping, TCP and UDP answer or not as the mode's expectations say, from the right source."""
    wrong = judge(evidence, pair)
    if wrong:
        pytest.fail(cell_failure(evidence, pair, wrong), pytrace=False)


def test_whole_matrix(evidence: Evidence) -> None:
    """All cells together, as one table."""
    wrong = [pair for pair in evidence.pairs if judge(evidence, pair)]
    if wrong:
        nodes = [endpoint.node for pair in wrong for endpoint in (pair.sender, pair.target)]
        pytest.fail(
            f"{len(wrong)} of {len(evidence.pairs)} cells are not as expected (in capitals):\n\n"
            f"{matrix_table(evidence)}\n\n{causes(evidence, nodes)}",
            pytrace=False,
        )
