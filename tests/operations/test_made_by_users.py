"""What of a cluster is its users', by answers as the API server gives them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.cluster.api import ApiError, ClusterApi
from lab.operations.keeping.made_by_users import KINDS, made_by_users
from tests.cluster.api_server import ApiServer
from tests.stand_in_site import Here

PATHS = dict(KINDS)


def item(name: str, namespace: str = "", *managers: str, **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "managedFields": [{"manager": each} for each in managers]}
    if namespace:
        metadata["namespace"] = namespace
    return {"metadata": {**metadata, **more}}


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """A cluster as `lab up` makes it, with what controllers have made; hybridnet's kinds are not there."""
    server = ApiServer()
    owner = [{"kind": "ReplicaSet", "name": "coredns"}]
    clean = {
        "namespace": [item(name) for name in ("default", "kube-system", "kube-flannel", "lab-bench")],
        "pod": [
            item("coredns-a", "kube-system", ownerReferences=owner),
            item("asks", "lab-bench", "kubectl"),
        ],
        "deployment": [item("coredns", "kube-system", "kubeadm", "lab", "kube-controller-manager")],
        "service": [item("kubernetes", "default", "kube-apiserver")],
        "configmap": [
            item("kube-root-ca.crt", "default"),
            item("kube-flannel-cfg", "kube-flannel", "lab"),
            item("of-lab", "default", "lab"),
        ],
        "secret": [{**item("token", "default"), "type": "kubernetes.io/service-account-token"}],
        "node": [item("k8s-node1", "", "kubelet", "lab")],
    }
    for kind, path in KINDS[:14]:
        server.answers[f"GET {path}"] = (200, {"items": clean.get(kind, [])})
    yield server
    server.close()


@pytest.fixture
def api(server: ApiServer, tmp_path: Path) -> ClusterApi:
    server.write_kubeconfig(tmp_path / "kubeconfig")
    return ClusterApi(tmp_path / "kubeconfig", Here())


def add(server: ApiServer, kind: str, *items: dict[str, Any]) -> None:
    _, answer = server.answers.get(f"GET {PATHS[kind]}", (200, {"items": []}))
    server.answers[f"GET {PATHS[kind]}"] = (200, {"items": [*answer["items"], *items]})


def test_of_a_clean_cluster_nothing_is(api: ClusterApi) -> None:
    assert made_by_users(api) == ()


def test_what_users_have_made_is_named_and_not_what_follows_from_it(
    server: ApiServer, api: ClusterApi
) -> None:
    owner = [{"kind": "ReplicaSet", "name": "tomcat"}]
    add(server, "namespace", item("myserver", "", "kubectl-create"))
    add(server, "deployment", item("tomcat", "myserver", "kubectl-client-side-apply"))
    add(server, "pod", item("tomcat-a", "myserver", ownerReferences=owner), item("debug", "default", "k9s"))
    add(server, "configmap", item("kube-root-ca.crt", "myserver"), item("mine", "myserver", "Python"))
    assert made_by_users(api) == (
        "namespace myserver",
        "deployment myserver/tomcat",
        "pod default/debug",
        "configmap myserver/mine",
    )


def test_what_users_have_changed_by_kubectl_is_named_wherever_it_is(
    server: ApiServer, api: ClusterApi
) -> None:
    add(server, "configmap", item("coredns", "kube-system", "kubeadm", "kubectl-edit"))
    add(server, "node", item("k8s-node2", "", "kubelet", "kubectl-label"))
    add(server, "subnet", item("overlay", "", "lab"), item("underlay-2", "", "kubectl-client-side-apply"))
    assert made_by_users(api) == ("configmap kube-system/coredns", "node k8s-node2", "subnet underlay-2")


def test_a_server_that_fails_is_no_clean_cluster(server: ApiServer, api: ClusterApi) -> None:
    server.answers[f"GET {PATHS['pod']}"] = (500, {"kind": "Status", "message": "etcd is gone"})
    with pytest.raises(ApiError):
        made_by_users(api)
