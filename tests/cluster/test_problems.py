"""Causes in words, from answers as the API server gives them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from api_server import ApiServer

from lab.cluster.api import ClusterApi
from lab.cluster.objects import Workload, WorkloadKind
from lab.cluster.problems import cluster_problems
from lab.cluster.readiness import KUBE_PROXY
from lab.topology.plan import Plan

NODES = "GET /api/v1/nodes"
PODS = "GET /api/v1/namespaces/kube-system/pods"
MANAGER = Workload(WorkloadKind.DEPLOYMENT, "kube-system", "hybridnet-manager")
MASTER = "node-role.kubernetes.io/master"


def node(name: str, labels: dict[str, str]) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": "True"}]
    status = {"conditions": conditions, "nodeInfo": {"kubeletVersion": "v1.24.10"}}
    return {"metadata": {"name": name, "labels": labels}, "status": status}


def pod(name: str, node: str, ready: bool = True, selector: dict[str, str] | None = None) -> dict[str, Any]:
    spec: dict[str, Any] = {"nodeSelector": selector or {}}
    if node:
        spec["nodeName"] = node
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    phase = "Running" if node else "Pending"
    return {"metadata": {"name": name}, "spec": spec, "status": {"phase": phase, "conditions": [condition]}}


@pytest.fixture
def server(plan: Plan) -> Iterator[ApiServer]:
    server = ApiServer()
    proxies = [pod(f"kube-proxy-{index}", each.name) for index, each in enumerate(plan.nodes)]
    server.answers = {
        NODES: (200, {"items": [node(each.name, {}) for each in plan.nodes]}),
        PODS: (200, {"items": [*proxies, pod("hybridnet-manager-a", "k8s-master1")]}),
    }
    yield server
    server.close()


def problems(api: ClusterApi, plan: Plan) -> tuple[str, ...]:
    return cluster_problems(api, plan, (KUBE_PROXY, MANAGER))


def test_nothing_is_wrong(api: ClusterApi, plan: Plan) -> None:
    assert problems(api, plan) == ()


def test_a_manager_without_the_label_it_is_bound_to(api: ClusterApi, server: ApiServer, plan: Plan) -> None:
    items = server.answers[PODS][1]["items"]
    items[-1] = pod("hybridnet-manager-a", "", ready=False, selector={MASTER: ""})
    assert problems(api, plan) == (
        f"pod hybridnet-manager-a is on no node: no node has the label {MASTER}=;"
        f" `lab kubectl label node NODE {MASTER}=`",
    )
    nodes = server.answers[NODES][1]["items"]
    nodes[0] = node("k8s-master1", {MASTER: ""})
    assert problems(api, plan) == (
        "pod hybridnet-manager-a on no node is not ready: its pod hybridnet-manager-a is Pending",
    )


def test_a_node_without_kube_proxy(api: ClusterApi, server: ApiServer, plan: Plan) -> None:
    items = server.answers[PODS][1]["items"]
    items[1] = pod("kube-proxy-1", "k8s-node1", ready=False)
    del items[2]
    assert problems(api, plan) == (
        "kube-proxy is not running on k8s-node1: its pod kube-proxy-1 is Running",
        "kube-proxy is not running on k8s-node2: it has no pod there",
    )
