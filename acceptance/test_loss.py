"""No packet is lost between two nodes."""

from __future__ import annotations

import pytest

from acceptance.evidence import Evidence
from acceptance.loss import Pings
from acceptance.matrix import Pair
from acceptance.problems import Unasked
from acceptance.report import SEEN, Record, causes


def test_no_packet_is_lost(pinged: Pair, evidence: Evidence, record_property: Record) -> None:
    """Of many pings from node to node, and from pod to pod, all are answered."""
    seen = evidence.losses.get(pinged, Unasked("nobody pinged"))
    record_property(SEEN, f"{pinged.sender} to {pinged.target}: {seen}")
    if not isinstance(seen, Pings) or seen.lost:
        said = seen if isinstance(seen, Pings) else f"not tried: {seen}"
        nodes = (pinged.sender.node, pinged.target.node)
        pytest.fail(f"{pinged.sender} to {pinged.target}: {said}\n{causes(evidence, nodes)}", pytrace=False)
