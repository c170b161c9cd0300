"""What is said while the cluster is not ready, from answers as the API server gives them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab.cluster.api import ClusterApi
from lab.cluster.readiness import (
    COREDNS,
    KUBE_PROXY,
    check_ready,
    is_ready,
    wait_answering,
    wait_joined,
    wait_ready,
    wait_unschedulable,
)
from lab.foundation.progress import SilentProgress
from lab.foundation.wait import Deadline, NotYetError, TimedOutError
from lab.topology.models import Installer
from lab.topology.plan import Plan
from tests.cluster.api_server import ApiServer

NODES = "GET /api/v1/nodes"
PROXY = "GET /apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy"
DNS = "GET /apis/apps/v1/namespaces/kube-system/deployments/coredns"
PODS = "GET /api/v1/namespaces/kube-system/pods"
EVENTS = "GET /api/v1/namespaces/kube-system/events"
VERSION = {"kubeletVersion": "v1.24.10"}
WORKLOADS = (KUBE_PROXY, COREDNS)
COREDNS_HEALTH = "GET /api/v1/namespaces/kube-system/pods/coredns-a:8080/proxy/health"
KUBE_PROXY_HEALTH = "GET /api/v1/namespaces/kube-system/pods/kube-proxy-b:10256/proxy/healthz"


def node(name: str, ready: bool, message: str = "") -> dict[str, Any]:
    condition = {"type": "Ready", "status": "True" if ready else "False", "message": message}
    return {"metadata": {"name": name}, "status": {"conditions": [condition], "nodeInfo": VERSION}}


def daemons(wanted: int, ready: int, generation: int = 1) -> dict[str, Any]:
    status = {
        "observedGeneration": 1,
        "desiredNumberScheduled": wanted,
        "updatedNumberScheduled": wanted,
        "numberAvailable": ready,
    }
    return {"metadata": {"generation": generation}, "status": status}


def deployment(wanted: int, ready: int) -> dict[str, Any]:
    status = {"observedGeneration": 1, "updatedReplicas": wanted, "availableReplicas": ready}
    return {"metadata": {"generation": 1}, "spec": {"replicas": wanted}, "status": status}


@pytest.fixture
def server(plan: Plan) -> Iterator[ApiServer]:
    """A cluster that is ready."""
    server = ApiServer()
    server.answers = {
        NODES: (200, {"items": [node(each.name, True) for each in plan.nodes]}),
        PROXY: (200, daemons(3, 3)),
        DNS: (200, deployment(2, 2)),
        PODS: (200, {"items": []}),
    }
    yield server
    server.close()


def why_not(api: ClusterApi, plan: Plan) -> str:
    with pytest.raises(NotYetError) as caught:
        check_ready(api, plan, WORKLOADS)
    return str(caught.value)


def test_ready(api: ClusterApi, plan: Plan) -> None:
    check_ready(api, plan, WORKLOADS)
    assert is_ready(api, plan, WORKLOADS)


def test_nodes_that_are_missing_or_not_ready_are_named(
    api: ClusterApi, server: ApiServer, plan: Plan
) -> None:
    items = [node("k8s-master1", True), node("k8s-node1", False, "cni plugin not initialized")]
    server.answers[NODES] = (200, {"items": items})
    said = why_not(api, plan)
    assert "k8s-master1" not in said
    assert "node k8s-node1 is not Ready: cni plugin not initialized" in said
    assert "node k8s-node2 has not joined" in said


def test_a_daemon_set_without_any_node_is_not_ready(api: ClusterApi, server: ApiServer, plan: Plan) -> None:
    server.answers[PROXY] = (200, daemons(0, 0))
    assert "kube-proxy" in why_not(api, plan)


def test_a_new_version_that_nobody_has_looked_at_is_not_ready(
    api: ClusterApi, server: ApiServer, plan: Plan
) -> None:
    server.answers[PROXY] = (200, daemons(3, 3, generation=2))
    assert "has not processed it yet" in why_not(api, plan)


def test_a_workload_that_is_missing(api: ClusterApi, server: ApiServer, plan: Plan) -> None:
    del server.answers[DNS]
    assert "deployment kube-system/coredns: it does not exist" in why_not(api, plan)
    assert not is_ready(api, plan, WORKLOADS)


def test_pods_that_are_not_ready_are_told_with_all_reasons_there_are(
    api: ClusterApi, server: ApiServer, plan: Plan
) -> None:
    waiting = {"name": "coredns", "ready": False, "state": {"waiting": {"reason": "ContainerCreating"}}}
    unready = {"name": "coredns", "ready": False, "state": {"running": {}}}
    unscheduled = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}

    def pod(name: str, node: str, **status: Any) -> dict[str, Any]:
        return {
            "metadata": {"name": name},
            "spec": {"nodeName": node},
            "status": {"phase": "Pending", **status},
        }

    def event(name: str, message: str, at: str) -> dict[str, Any]:
        return {
            "involvedObject": {"name": name},
            "reason": "FailedCreatePodSandBox",
            "message": message,
            "lastTimestamp": at,
        }

    ready = [{"type": "Ready", "status": "True"}]
    items = [
        pod("coredns-a", "k8s-node1", containerStatuses=[waiting]),
        pod("coredns-b", "k8s-node2", containerStatuses=[unready]),
        pod("coredns-c", "", conditions=[unscheduled]),
        pod("coredns-d", "k8s-node2", conditions=ready),
        pod("etcd-k8s-master1", "k8s-master1"),
    ]
    events = [
        event("coredns-a", "newer", "2024-01-01T00:00:02Z"),
        event("coredns-a", "older", "2024-01-01T00:00:01Z"),
    ]
    server.answers |= {
        DNS: (200, deployment(4, 1)),
        PODS: (200, {"items": items}),
        EVENTS: (200, {"items": events}),
    }
    assert why_not(api, plan).splitlines() == [
        "deployment kube-system/coredns: 1 of 4 pods ready",
        "pod coredns-a on k8s-node1: Pending; coredns ContainerCreating; FailedCreatePodSandBox: newer",
        "pod coredns-b on k8s-node2: Pending; coredns runs but is not ready",
        "pod coredns-c: Pending; 0/3 nodes are available",
    ]


def test_waiting_outlives_an_api_server_that_restarts_and_ends_with_the_last_reason(
    api: ClusterApi, server: ApiServer, plan: Plan
) -> None:
    server.answers[DNS] = (503, {"message": "etcd leader changed"})
    with SilentProgress().step("ready") as at, pytest.raises(TimedOutError) as caught:
        wait_ready(api, plan, WORKLOADS, at, Deadline(0.2))
    assert "etcd leader changed" in str(caught.value)


def test_the_schedulers_refusal_is_waited_for_and_told(api: ClusterApi, server: ApiServer) -> None:
    def event(name: str, reason: str) -> dict[str, Any]:
        said = "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."
        return {"involvedObject": {"name": name}, "reason": reason, "message": said, "lastTimestamp": "1"}

    server.answers[EVENTS] = (200, {"items": [event("coredns-a", "FailedCreatePodSandBox")]})
    at = SilentProgress().step("labels")
    with pytest.raises(TimedOutError, match="the scheduler refuses pods of deployment kube-system/coredns"):
        wait_unschedulable(api, COREDNS, at, Deadline(0))
    server.answers[EVENTS] = (200, {"items": [event("coredns-a", "FailedScheduling")]})
    refusal = wait_unschedulable(api, COREDNS, at, Deadline(0))
    assert refusal.startswith("pod coredns-a: FailedScheduling: 0/3 nodes are available")


def answering(server: ApiServer, plan: Plan) -> None:
    """All nodes and one pod of CoreDNS answer through the API server."""
    pods = [
        {"metadata": {"name": name}, "spec": {"nodeName": "k8s-node1"}, "status": {"phase": "Running"}}
        for name in ("coredns-a", "kube-proxy-b")
    ]
    server.answers[PODS] = (200, {"items": pods})
    for each in plan.nodes:
        server.answers[f"GET /api/v1/nodes/{each.name}/proxy/healthz"] = (200, "ok")
    server.answers[COREDNS_HEALTH] = (200, "OK")
    server.answers[KUBE_PROXY_HEALTH] = (200, "{}")


def test_all_that_answer(api: ClusterApi, server: ApiServer, plan: Plan) -> None:
    answering(server, plan)
    with SilentProgress().step("ready") as at:
        wait_answering(api, plan, WORKLOADS, at, Deadline(10))
    asked = {f"{each.method} {each.path}" for each in server.asked}
    assert {COREDNS_HEALTH, KUBE_PROXY_HEALTH} <= asked


@pytest.mark.parametrize(
    ("silent", "named"),
    [
        ("GET /api/v1/nodes/k8s-node2/proxy/healthz", "ask the kubelet of k8s-node2"),
        (COREDNS_HEALTH, "ask the pod kube-system/coredns-a"),
        (KUBE_PROXY_HEALTH, "ask the pod kube-system/kube-proxy-b"),
    ],
)
def test_who_does_not_answer_is_named(
    api: ClusterApi, server: ApiServer, plan: Plan, silent: str, named: str
) -> None:
    answering(server, plan)
    server.answers[silent] = (503, {"message": "no route to host"})
    with SilentProgress().step("ready") as at, pytest.raises(TimedOutError) as caught:
        wait_answering(api, plan, WORKLOADS, at, Deadline(0.2))
    assert named in str(caught.value)
    assert "no route to host" in str(caught.value)


def test_dns_is_not_asked_where_the_mode_does_not_need_it(
    api: ClusterApi, server: ApiServer, plan: Plan
) -> None:
    answering(server, plan)
    server.answers[COREDNS_HEALTH] = (503, {"message": "no route to host"})
    with SilentProgress().step("ready") as at:
        wait_answering(api, plan, (KUBE_PROXY,), at, Deadline(10))


def test_a_kube_proxy_that_is_a_unit_is_asked_on_its_node(
    api: ClusterApi, server: ApiServer, plan: Plan
) -> None:
    answering(server, plan)
    own = {node.name: f"GET /api/v1/nodes/http:{node.name}:10256/proxy/healthz" for node in plan.nodes}
    server.answers |= dict.fromkeys(own.values(), (200, "{}"))
    with SilentProgress().step("ready") as at:
        wait_answering(api, plan.by(Installer.BINARY), (), at, Deadline(10))
    assert set(own.values()) <= {f"{asked.method} {asked.path}" for asked in server.asked}
    server.answers[own["k8s-node2"]] = (503, {"message": "connection refused"})
    with SilentProgress().step("ready") as at, pytest.raises(TimedOutError) as caught:
        wait_answering(api, plan.by(Installer.BINARY), (), at, Deadline(0.2))
    assert "ask port 10256 of k8s-node2" in str(caught.value)


def test_nodes_that_have_not_joined_are_waited_for(api: ClusterApi, server: ApiServer, plan: Plan) -> None:
    with SilentProgress().step("join") as at:
        wait_joined(api, plan, at, Deadline(10))
    server.answers[NODES][1]["items"].pop()
    with SilentProgress().step("join") as at, pytest.raises(TimedOutError, match="k8s-node2 have not joined"):
        wait_joined(api, plan, at, Deadline(0.2))
