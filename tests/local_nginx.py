"""A plan of several control planes that nginx on every node leads to."""

from __future__ import annotations

from lab.topology.loader import load_topology
from lab.topology.models import LoadBalancer
from lab.topology.plan import Plan
from lab.topology.planner import make_plan
from tests.conftest import TOPOLOGIES


def ha_5node_with_local_nginx() -> Plan:
    """Three control planes and two workers, without an address of their own for the API."""
    topology = load_topology(TOPOLOGIES / "ha-5node.yaml")
    changed = {"load_balancer": LoadBalancer.LOCAL_NGINX, "api_address": None}
    kubernetes = topology.kubernetes.model_copy(update=changed)
    return make_plan(topology.model_copy(update={"kubernetes": kubernetes}))
