from __future__ import annotations

import dataclasses
from ipaddress import IPv4Network

import pytest

from lab.cluster.objects import NodeState
from lab.cluster.pod_blocks import with_pod_blocks
from lab.foundation.wait import Deadline, TimedOutError
from lab.topology.plan import Plan


@dataclasses.dataclass
class SlowController:
    """Gives one more node its block each time it is asked."""

    plan: Plan
    given: int = 0

    def nodes(self) -> list[NodeState]:
        self.given += 1
        return [
            NodeState(node.name, {}, True, "", "v1.24.10", _block(index) if index < self.given else None)
            for index, node in enumerate(self.plan.nodes)
        ]


def _block(index: int) -> IPv4Network:
    return IPv4Network(f"10.200.{index}.0/24")


def test_waits_until_every_node_has_its_block(plan: Plan) -> None:
    found = with_pod_blocks(plan, SlowController(plan), Deadline(10))  # type: ignore[arg-type]
    assert [node.pod_block for node in found.nodes] == [_block(0), _block(1), _block(2)]
    assert [node.pod_block for node in plan.nodes] == [None, None, None]


def test_says_which_nodes_have_none(plan: Plan) -> None:
    with pytest.raises(TimedOutError, match="every node has a block") as caught:
        with_pod_blocks(plan, SlowController(plan), Deadline(0))  # type: ignore[arg-type]
    assert "no block for k8s-node1, k8s-node2" in str(caught.value)
