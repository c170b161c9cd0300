from __future__ import annotations

import dataclasses
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.cluster import api as module
from lab.cluster.api import ApiError, ClusterApi
from lab.cluster.credentials import admin_kubeconfig
from lab.cluster.labels import label_nodes, nodes_labelled
from lab.cluster.objects import Rollout, Workload, WorkloadKind
from lab.cluster.secrets import load_or_make_secrets
from lab.foundation.errors import LabError
from lab.foundation.wait import NotYetError
from lab.topology.plan import Plan
from tests.cluster.api_server import ApiServer
from tests.stand_in_site import Here

CORE = {
    "resources": [
        {"kind": "Namespace", "name": "namespaces", "namespaced": False},
        {"kind": "Node", "name": "nodes", "namespaced": False},
        {"kind": "Node", "name": "nodes/status", "namespaced": False},
        {"kind": "ServiceAccount", "name": "serviceaccounts", "namespaced": True},
    ]
}
APPS = {"resources": [{"kind": "DaemonSet", "name": "daemonsets", "namespaced": True}]}


@pytest.fixture
def server() -> Iterator[ApiServer]:
    server = ApiServer()
    yield server
    server.close()


def manifest(version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def test_an_overloaded_api_server_is_asked_for_a_change_again(api: ClusterApi, server: ApiServer) -> None:
    server.answers = {"DELETE /api/v1/nodes/a": (200, {}), "PATCH /api/v1/nodes/a": (200, {})}
    server.overloaded = {"DELETE /api/v1/nodes/a": 1, "PATCH /api/v1/nodes/a": 1}
    api.delete("/api/v1/nodes/a")
    api.merge("/api/v1/nodes/a", {})
    assert [asked.method for asked in server.asked] == ["DELETE", "DELETE", "PATCH", "PATCH"]


def test_an_api_server_that_stays_overloaded_is_told(
    api: ClusterApi, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHANGE_SECONDS", 0.0)
    server.overloaded = {"PATCH /api/v1/nodes/a": 1000}
    with pytest.raises(ApiError, match="change /api/v1/nodes/a: refused") as refused:
        api.merge("/api/v1/nodes/a", {})
    assert refused.value.status == 504


def test_a_change_that_is_not_allowed_is_asked_for_once(api: ClusterApi, server: ApiServer) -> None:
    server.answers = {"PATCH /api/v1/nodes/a": (403, {"message": "forbidden"})}
    with pytest.raises(ApiError, match="refused"):
        api.merge("/api/v1/nodes/a", {})
    assert len(server.asked) == 1


def test_apply_puts_namespaces_first_and_asks_once_for_each_version(
    api: ClusterApi, server: ApiServer
) -> None:
    server.answers = {
        "GET /api/v1": (200, CORE),
        "GET /apis/apps/v1": (200, APPS),
        "PATCH /api/v1/namespaces/net": (201, {}),
        "PATCH /api/v1/namespaces/net/serviceaccounts/a": (200, {}),
        "PATCH /apis/apps/v1/namespaces/net/daemonsets/d": (200, {}),
    }
    objects = (
        manifest("v1", "ServiceAccount", "a", "net"),
        manifest("apps/v1", "DaemonSet", "d", "net"),
        manifest("v1", "Namespace", "net"),
    )
    api.apply(objects)
    patches = [asked for asked in server.asked if asked.method == "PATCH"]
    assert [asked.body for asked in patches] == [objects[2], objects[0], objects[1]]
    assert {asked.content_type for asked in patches} == {"application/apply-patch+yaml"}
    assert patches[0].query == {"fieldManager": ["lab"], "force": ["true"]}
    assert [asked.path for asked in server.asked if asked.method == "GET"] == ["/api/v1", "/apis/apps/v1"]


def test_apply_of_a_kind_that_the_server_does_not_know(api: ClusterApi, server: ApiServer) -> None:
    server.answers = {"GET /api/v1": (200, CORE)}
    with pytest.raises(ApiError, match="Widget"):
        api.apply([manifest("v1", "Widget", "w")])


def test_a_refusal_is_told_in_the_servers_words(api: ClusterApi, server: ApiServer) -> None:
    server.answers = {
        "GET /api/v1": (200, CORE),
        "PATCH /api/v1/namespaces/net": (422, {"message": "metadata.name: too short"}),
    }
    with pytest.raises(ApiError) as caught:
        api.apply([manifest("v1", "Namespace", "net")])
    assert caught.value.status == 422
    assert "apply Namespace net" in caught.value.brief
    assert "too short" in str(caught.value)


def test_serving(api: ClusterApi, server: ApiServer) -> None:
    server.answers = {"GET /readyz": (500, "[-]etcd failed")}
    with pytest.raises(NotYetError, match="etcd failed"):
        api.check_serving()
    server.answers = {"GET /readyz": (200, "ok")}
    api.check_serving()


def test_nobody_answers(api: ClusterApi, server: ApiServer) -> None:
    server.close()
    with pytest.raises(NotYetError, match="not ready"):
        api.check_serving()
    with pytest.raises(ApiError, match="no answer"):
        api.nodes()


def test_rollout(api: ClusterApi, server: ApiServer) -> None:
    deployment = Workload(WorkloadKind.DEPLOYMENT, "kube-system", "coredns")
    path = "GET /apis/apps/v1/namespaces/kube-system/deployments/coredns"
    assert api.rollout(deployment) is None
    server.answers[path] = (
        200,
        {
            "metadata": {"generation": 2},
            "spec": {"replicas": 2},
            "status": {"observedGeneration": 2, "updatedReplicas": 1, "availableReplicas": 2},
        },
    )
    assert api.rollout(deployment) == Rollout(observed=True, wanted=2, ready=1)
    server.answers[path] = (403, {"message": "no"})
    with pytest.raises(ApiError):
        api.rollout(deployment)


def test_labels(api: ClusterApi, server: ApiServer, plan: Plan) -> None:
    node = dataclasses.replace(plan.workers[0], labels={"network": "underlay-nethost"})
    plan = dataclasses.replace(plan, nodes=(dataclasses.replace(plan.first_control_plane, labels={}), node))

    def has(labels: dict[str, str]) -> tuple[int, Any]:
        status = {"nodeInfo": {"kubeletVersion": "v1.24.10"}}
        metadata = [
            {"name": plan.first_control_plane.name},
            {"name": node.name, "labels": {"a": "b", **labels}},
        ]
        return 200, {"items": [{"metadata": each, "status": status} for each in metadata]}

    server.answers = {f"PATCH /api/v1/nodes/{node.name}": (200, {}), "GET /api/v1/nodes": has({})}
    assert not nodes_labelled(api, plan)
    label_nodes(api, plan)
    (patch,) = (asked for asked in server.asked if asked.method == "PATCH")
    assert patch.content_type == "application/merge-patch+json"
    assert patch.body == {"metadata": {"labels": {"network": "underlay-nethost"}}}
    server.answers["GET /api/v1/nodes"] = has({"network": "underlay-nethost"})
    assert nodes_labelled(api, plan)


def test_an_object_is_read_and_a_part_of_it_changed(api: ClusterApi, server: ApiServer) -> None:
    path = Workload(WorkloadKind.DAEMON_SET, "kube-system", "kube-proxy").path
    assert path == "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy"
    server.answers = {f"GET {path}": (200, {"spec": {"a": 1}}), f"PATCH {path}": (200, {})}
    assert api.read(path) == {"spec": {"a": 1}}
    api.merge(path, {"spec": {"a": None}})
    patch = server.asked[-1]
    assert (patch.content_type, patch.body) == ("application/merge-patch+json", {"spec": {"a": None}})
    with pytest.raises(ApiError) as missing:
        api.read("/api/v1/nodes/none")
    assert missing.value.status == 404


def test_a_label_is_taken_away(api: ClusterApi, server: ApiServer) -> None:
    server.answers = {"PATCH /api/v1/nodes/n": (200, {})}
    api.label_node("n", {"network": None})
    assert server.asked[-1].body == {"metadata": {"labels": {"network": None}}}


def test_a_kubeconfig_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="cannot read"):
        ClusterApi(tmp_path / "missing", Here())


def test_a_killed_process_leaves_nothing_outside_the_labs_folder(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary, folder = tmp_path / "temporary", tmp_path / "lab"
    temporary.mkdir()
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(admin_kubeconfig(plan, load_or_make_secrets(folder / "secrets.json")))
    ClusterApi(kubeconfig, Here())
    assert not list(temporary.iterdir())
    opened = [path.stat().st_mode & 0o777 for path in (folder / "kubeconfig.opened").iterdir()]
    assert opened == [0o600] * 3


DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "networks.example.org"},
}


def test_a_definition_is_waited_for_until_its_objects_may_be_made(api: ClusterApi, server: ApiServer) -> None:
    group = "/apis/apiextensions.k8s.io/v1"
    path = f"{group}/customresourcedefinitions/networks.example.org"
    known = {"name": "customresourcedefinitions", "kind": "CustomResourceDefinition", "namespaced": False}

    def said(established: str) -> tuple[int, Any]:
        return 200, {"status": {"conditions": [{"type": "Established", "status": established}]}}

    server.answers = {
        f"GET {group}": (200, {"resources": [known]}),
        f"PATCH {path}": (200, {}),
        f"GET {path}": said("False"),
    }
    threading.Timer(0.5, lambda: server.answers.update({f"GET {path}": said("True")})).start()
    api.apply([DEFINITION])
    asked = [(each.method, each.path) for each in server.asked]
    assert asked.index(("PATCH", path)) < asked.index(("GET", path))
    assert asked.count(("GET", path)) > 1


def test_what_is_deleted_may_be_gone_already(api: ClusterApi, server: ApiServer) -> None:
    path = "/api/v1/namespaces/kube-system/pods/kube-proxy-b"
    server.answers[f"DELETE {path}"] = (200, {})
    api.delete(path)
    api.delete("/api/v1/namespaces/kube-system/pods/none")
    assert (server.asked[0].method, server.asked[0].path) == ("DELETE", path)


def test_what_may_not_be_deleted_is_named(api: ClusterApi, server: ApiServer) -> None:
    server.answers["DELETE /api/v1/nodes/k8s-node1"] = (403, {"message": "forbidden"})
    with pytest.raises(ApiError, match="delete /api/v1/nodes/k8s-node1: refused"):
        api.delete("/api/v1/nodes/k8s-node1")
