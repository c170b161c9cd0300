from __future__ import annotations

import dataclasses
from ipaddress import IPv4Network

import pytest

from lab.topology.plan import Plan


@pytest.fixture(scope="session")
def plan(plan: Plan) -> Plan:
    """The plan of the standard topology, with the blocks that Kubernetes gives its nodes."""
    nodes = tuple(
        dataclasses.replace(node, pod_block=IPv4Network(f"10.200.{index}.0/24"))
        for index, node in enumerate(plan.nodes)
    )
    return dataclasses.replace(plan, nodes=nodes)
