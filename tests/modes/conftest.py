from __future__ import annotations

import dataclasses
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from lab.topology.loader import load_topology
from lab.topology.plan import Plan
from lab.topology.planner import make_plan

TOPOLOGIES = Path(__file__).parents[2] / "topologies"


def _with_blocks(plan: Plan) -> Plan:
    """The plan with the blocks that Kubernetes gives its nodes."""
    nodes = tuple(
        dataclasses.replace(node, pod_block=IPv4Network(f"10.200.{index}.0/24"))
        for index, node in enumerate(plan.nodes)
    )
    return dataclasses.replace(plan, nodes=nodes)


@pytest.fixture(scope="session")
def plan(plan: Plan) -> Plan:
    """The plan of the standard topology, whose nodes have their blocks."""
    return _with_blocks(plan)


@pytest.fixture(scope="session")
def different() -> Plan:
    """The plan of a topology whose underlay NIC is eth2 on two nodes and eth1 on the third."""
    return _with_blocks(make_plan(load_topology(TOPOLOGIES / "different-nics.yaml")))
