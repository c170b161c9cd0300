"""Causes in words, from answers as the API server gives them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab.cluster import problems as problems_module
from lab.cluster.api import ClusterApi
from lab.cluster.objects import Workload, WorkloadKind
from lab.cluster.problems import cluster_problems
from lab.cluster.readiness import KUBE_PROXY
from lab.topology.models import Installer
from lab.topology.plan import Plan
from tests.cluster.api_server import ApiServer

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


def health(pod: str) -> str:
    return f"GET /api/v1/namespaces/kube-system/pods/{pod}:10256/proxy/healthz"


def kubelet(node: str) -> str:
    return f"GET /api/v1/nodes/{node}/proxy/healthz"


@pytest.fixture
def server(plan: Plan) -> Iterator[ApiServer]:
    server = ApiServer()
    proxies = [pod(f"kube-proxy-{index}", each.name) for index, each in enumerate(plan.nodes)]
    server.answers = {
        NODES: (200, {"items": [node(each.name, {}) for each in plan.nodes]}),
        PODS: (200, {"items": [*proxies, pod("hybridnet-manager-a", "k8s-master1")]}),
    }
    for index, each in enumerate(plan.nodes):
        server.answers[health(f"kube-proxy-{index}")] = (200, {"lastUpdated": "now", "currentTime": "now"})
        server.answers[kubelet(each.name)] = (200, "ok")
    yield server
    server.close()


def problems(api: ClusterApi, plan: Plan) -> tuple[str, ...]:
    nodes = {each.name: each for each in api.nodes()}
    return cluster_problems(api, nodes, plan, (KUBE_PROXY, MANAGER))


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


def test_a_kube_proxy_that_is_not_ready_is_named_once(api: ClusterApi, server: ApiServer, plan: Plan) -> None:
    server.answers[PODS][1]["items"][1] = pod("kube-proxy-1", "k8s-node1", ready=False)
    server.answers[health("kube-proxy-1")] = (503, {"message": "connection refused"})
    assert problems(api, plan) == ("kube-proxy is not running on k8s-node1: its pod kube-proxy-1 is Running",)


def test_kube_proxies_that_are_there_and_do_nothing(
    api: ClusterApi, server: ApiServer, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problems_module, "ANSWER_SECONDS", 1.5)
    server.silent = {health("kube-proxy-1"), health("kube-proxy-2")}
    assert problems(api, plan) == tuple(
        f"kube-proxy on k8s-node{index} does not answer on port 10256: it is there and does nothing;"
        f" `lab kubectl delete pod -n kube-system kube-proxy-{index}` starts a new one"
        for index in (1, 2)
    )
    paths = [asked.path for asked in server.asked]
    waited = [index for index, path in enumerate(paths) if path.startswith("/api/v1/nodes/")]
    assert all("10256" not in path for path in paths[waited[0] :]), "the nodes were not asked at once"


def test_a_kube_proxy_that_lags_behind_is_told_in_its_own_words(
    api: ClusterApi, server: ApiServer, plan: Plan
) -> None:
    answer = '{"lastUpdated": "17:03:28","currentTime": "17:05:02"}'
    server.answers[health("kube-proxy-1")] = (503, answer)
    assert problems(api, plan) == (
        f"kube-proxy on k8s-node1 is not healthy, its rules may be old: {answer};"
        " `lab kubectl logs -n kube-system kube-proxy-1` says more",
    )


def test_a_node_that_is_cut_off_is_not_called_a_fault_of_kube_proxy(
    api: ClusterApi, server: ApiServer, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(problems_module, "ANSWER_SECONDS", 1.5)
    server.silent = {health("kube-proxy-1"), kubelet("k8s-node1")}
    assert problems(api, plan) == (
        "k8s-node1 does not answer the API server, neither kubelet nor kube-proxy;"
        " `lab logs k8s-node1.console` shows its console",
    )


def test_a_kube_proxy_that_is_a_unit(api: ClusterApi, server: ApiServer, plan: Plan) -> None:
    """Of a cluster from binaries: nothing of it is among the pods."""
    from_binaries = plan.by(Installer.BINARY)
    nodes = {each.name: each for each in api.nodes()}
    paths = {name: f"GET /api/v1/nodes/http:{name}:10256/proxy/healthz" for name in nodes}
    server.answers |= dict.fromkeys(paths.values(), (200, "{}"))
    assert cluster_problems(api, nodes, from_binaries, (MANAGER,)) == ()
    refused = "dial tcp 172.31.7.102:10256: connect: connection refused"
    server.answers[paths["k8s-node1"]] = (503, {"message": refused})
    server.answers[paths["k8s-node2"]] = (503, {"message": "an update waits"})
    assert cluster_problems(api, nodes, from_binaries, (MANAGER,)) == (
        "kube-proxy is not running on k8s-node1: nothing listens there;"
        " `lab exec k8s-node1 -- systemctl restart kube-proxy` starts it again",
        "kube-proxy on k8s-node2 is not healthy, its rules may be old: an update waits;"
        " `lab exec k8s-node2 -- journalctl --unit kube-proxy` says more",
    )
