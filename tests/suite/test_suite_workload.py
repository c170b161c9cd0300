"""The suite's pods and Services, against a cluster that is only pretended."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from acceptance import api_answers
from acceptance.cluster import Api, read_pod
from acceptance.expectations import Expectations, load_expectations
from acceptance.inventory import Inventory
from acceptance.manifests import BACKEND, Manifests, probe_name
from acceptance.problems import Problem, SuiteError
from acceptance.workload import BackendService, Workload


class PretendedCluster:
    """Keeps what is created; pods become ready when `ready` says so."""

    def __init__(self) -> None:
        self.pods: dict[str, Any] = {}
        self.namespace = False
        self.namespace_conditions: list[Any] = []
        self.broken: ApiException | None = None
        self.never_ready: set[str] = set()
        self.events: list[Any] = []
        self.slices: list[list[str]] = []
        self.created_pods = 0
        self.replica_sets = 0
        self.logs: dict[tuple[str, str], str] = {}

    def fail_when_broken(self) -> None:
        if self.broken is not None:
            raise self.broken

    def create_namespace(self, body: Any, **_: Any) -> None:
        self.namespace = True

    def read_namespace(self, name: str, **_: Any) -> Any:
        return SimpleNamespace(status=SimpleNamespace(conditions=self.namespace_conditions))

    def delete_namespace(self, name: str, **_: Any) -> None:
        if self.namespace_conditions:
            raise ApiException(status=409, reason="Conflict")
        self.fail_when_broken()
        if not self.namespace:
            raise ApiException(status=404)
        self.namespace = False
        self.pods.clear()

    def delete_collection_namespaced_deployment(self, namespace: str, **_: Any) -> None:
        self.fail_when_broken()

    def delete_collection_namespaced_replica_set(self, namespace: str, **_: Any) -> None:
        self.fail_when_broken()
        self.replica_sets = 0

    def delete_collection_namespaced_pod(self, namespace: str, label_selector: str = "", **_: Any) -> None:
        for name, pod in list(self.pods.items()):
            if not label_selector or label_selector == f"app={pod.metadata.labels['app']}":
                del self.pods[name]
        if not label_selector and self.replica_sets:
            self._grow()

    def read_namespaced_service_account(self, name: str, namespace: str, **_: Any) -> None:
        pass

    def create_namespaced_pod(self, namespace: str, body: Any, **_: Any) -> None:
        name = body["metadata"]["name"]
        self.created_pods += 1
        ready = name not in self.never_ready
        self.pods[name] = _pod(body, name, f"uid-{self.created_pods}", self.created_pods, ready)

    def create_namespaced_deployment(self, namespace: str, body: Any, **_: Any) -> None:
        self.deployment = body
        self.replica_sets = 1
        self._grow()

    def _grow(self) -> None:
        pod = self.deployment["spec"]["template"]
        self.create_namespaced_pod(
            "", {**pod, "metadata": {**pod["metadata"], "name": f"{BACKEND}-{self.created_pods}"}}
        )

    def delete_namespaced_pod(self, name: str, namespace: str, **_: Any) -> None:
        del self.pods[name]
        self._grow()

    def create_namespaced_service(self, namespace: str, body: Any, **_: Any) -> Any:
        ports = [
            SimpleNamespace(name=port["name"], node_port=30000 + index)
            for index, port in enumerate(body["spec"]["ports"])
        ]
        return SimpleNamespace(spec=SimpleNamespace(cluster_ip="10.96.7.8", ports=ports))

    def list_namespaced_pod(self, namespace: str, **_: Any) -> Any:
        return SimpleNamespace(items=list(self.pods.values()))

    def list_pod_for_all_namespaces(self, **_: Any) -> Any:
        return SimpleNamespace(items=list(self.pods.values()))

    def read_namespaced_pod_log(
        self, name: str, namespace: str, container: str, previous: bool, **_: Any
    ) -> str:
        assert previous
        if (name, container) not in self.logs:
            raise ApiException(status=404)
        return self.logs[name, container]

    def list_namespaced_event(self, namespace: str, **_: Any) -> Any:
        return SimpleNamespace(items=self.events)

    def list_namespaced_endpoint_slice(self, namespace: str, **_: Any) -> Any:
        addresses = self.slices.pop(0) if len(self.slices) > 1 else self.slices[0]
        endpoint = SimpleNamespace(addresses=addresses, conditions=SimpleNamespace(ready=True))
        return SimpleNamespace(items=[SimpleNamespace(endpoints=[endpoint] if addresses else None)])


class SlowCluster(PretendedCluster):
    """Carries out every request, and answers the first one for each object too late."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()
        self.services: dict[str, Any] = {}

    def _must_be_new(self, kind: str, body: Any) -> None:
        """Raises what the API server says of an object that is there."""
        name = f"{kind} {body['metadata']['name']}"
        if name in self._seen:
            raise ApiException(status=409, reason="AlreadyExists")
        self._seen.add(name)

    def _too_late(self) -> ApiException:
        return ApiException(status=504, reason="request did not complete within requested timeout")

    def create_namespace(self, body: Any, **_: Any) -> None:
        self._must_be_new("namespace", body)
        super().create_namespace(body)
        raise self._too_late()

    def create_namespaced_service(self, namespace: str, body: Any, **_: Any) -> Any:
        self._must_be_new("service", body)
        self.services[body["metadata"]["name"]] = super().create_namespaced_service(namespace, body)
        raise self._too_late()

    def read_namespaced_service(self, name: str, namespace: str, **_: Any) -> Any:
        return self.services[name]

    def create_namespaced_deployment(self, namespace: str, body: Any, **_: Any) -> None:
        self._must_be_new("deployment", body)
        super().create_namespaced_deployment(namespace, body)
        raise self._too_late()

    def create_namespaced_pod(self, namespace: str, body: Any, **_: Any) -> None:
        if body["metadata"]["name"].startswith(BACKEND):  # the deployment's, not the suite's
            super().create_namespaced_pod(namespace, body)
            return
        self._must_be_new("pod", body)
        super().create_namespaced_pod(namespace, body)
        raise self._too_late()


def _node_of(body: Any) -> str:
    """The node that the scheduler is bound to."""
    rules = body["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    node: str = rules["nodeSelectorTerms"][0]["matchFields"][0]["values"][0]
    return node


def _pod(body: Any, name: str, uid: str, number: int, ready: bool) -> Any:
    waiting = None if ready else SimpleNamespace(reason="ContainerCreating", message=None)
    state = SimpleNamespace(waiting=waiting, running=object() if ready else None)
    return SimpleNamespace(
        metadata=SimpleNamespace(
            namespace="lab-acceptance",
            name=name,
            uid=uid,
            labels=body["metadata"]["labels"],
            annotations=body["metadata"].get("annotations"),
            deletion_timestamp=None,
        ),
        spec=SimpleNamespace(node_name=_node_of(body), host_network=None),
        status=SimpleNamespace(
            pod_ip=f"10.200.0.{number}" if ready else None,
            phase="Running" if ready else "Pending",
            start_time=None,
            container_statuses=[_status(f"container-of-{uid}", state)],
            conditions=[SimpleNamespace(type="Ready", status="True" if ready else "False")],
        ),
    )


def _status(container: str, state: Any) -> Any:
    return SimpleNamespace(container_id=container, state=state, restart_count=0, last_state=None)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_answers, "POLL_SECONDS", 0.01)


@pytest.fixture
def cluster() -> PretendedCluster:
    return PretendedCluster()


@pytest.fixture
def made(cluster: PretendedCluster, inventory: Inventory, macvlan: Expectations) -> Workload:
    return Workload(Api(cluster, cluster, cluster, cluster), inventory, macvlan)


def _start(made: Workload, *, with_crowd: bool = True) -> BackendService:
    service = made.prepare(1)
    made.start_pods(1, with_crowd=with_crowd)
    return service


def test_a_pod_on_every_node_and_one_behind_the_service(cluster: PretendedCluster, made: Workload) -> None:
    cluster.namespace = True  # left by an earlier run
    service = _start(made)
    assert (service.cluster_ip, service.http_node_port, service.udp_node_port) == (
        IPv4Address("10.96.7.8"),
        30000,
        30001,
    )
    pods = made.wait_until_usable(made.roles, 1)
    assert pods.problems == {}
    assert {role: pod.node for role, pod in pods.found.items()} == {
        "probe-k8s-master1": "k8s-master1",
        "probe-k8s-node1": "k8s-node1",
        "probe-k8s-node2": "k8s-node2",
        "backend": "k8s-node1",
    }


def test_a_slow_api_server_is_asked_again(inventory: Inventory, macvlan: Expectations) -> None:
    """What it did, but answered too late, is not done twice."""
    cluster = SlowCluster()
    made = Workload(Api(cluster, cluster, cluster, cluster), inventory, macvlan)
    service = _start(made)
    assert service.cluster_ip == IPv4Address("10.96.7.8")
    assert made.wait_until_usable(made.roles, 1).problems == {}
    assert cluster.created_pods == len({*made.roles, *made.crowd_roles})


def test_a_pod_that_does_not_start_is_a_problem_with_its_events(
    cluster: PretendedCluster, made: Workload
) -> None:
    role = probe_name("k8s-node2")
    cluster.never_ready.add(role)
    cluster.events = [
        SimpleNamespace(
            reason="FailedCreatePodSandBox", message='plugin type="macvlan" failed\n', last_timestamp=1
        )
    ]
    _start(made)
    pods = made.wait_until_usable(made.roles, 0.05)
    assert set(pods.problems) == {role}
    assert str(pods.problems[role]) == (
        "pod probe-k8s-node2 on k8s-node2 is not Ready after 0 s: Pending (ContainerCreating);"
        ' FailedCreatePodSandBox: plugin type="macvlan" failed'
    )


def test_the_successor_of_a_deleted_pod(cluster: PretendedCluster, made: Workload) -> None:
    _start(made)
    old = made.wait_until_usable(made.roles, 1).found[BACKEND]
    new = made.replace_backend(old, 1)
    assert not isinstance(new, Problem)
    assert new.uid != old.uid
    assert new.address != old.address


def test_endpoints_are_waited_for_and_told_when_wrong(cluster: PretendedCluster, made: Workload) -> None:
    wanted = [IPv4Address("10.200.0.9")]
    cluster.slices = [["10.200.0.4"], [], ["10.200.0.9"]]
    assert made.wait_for_endpoints({BACKEND: wanted}, 1) == ()
    cluster.slices = [["10.200.0.4"]]
    assert str(made.wait_for_endpoints({BACKEND: wanted}, 0.05)[0]) == (
        "after 0 s the endpoints of Service backend are 10.200.0.4, expected 10.200.0.9"
    )


def test_pods_that_are_waited_for_together_can_be_told_apart(
    cluster: PretendedCluster, made: Workload
) -> None:
    late = probe_name("k8s-node2")
    cluster.never_ready.add(late)
    _start(made)
    all_pods = made.wait_until_usable((*made.roles, *made.crowd_roles), 0.05)
    crowd = all_pods.of(made.crowd_roles)
    assert (set(crowd.found), set(crowd.problems)) == (set(made.crowd_roles), set())
    assert set(all_pods.of(made.roles).problems) == {late}


def test_an_api_that_fails_is_an_error_with_its_reason(cluster: PretendedCluster, made: Workload) -> None:
    cluster.broken = ApiException(status=503, reason="Service Unavailable")
    with pytest.raises(
        SuiteError, match="the API server does not answer as it should: HTTP 503 Service Unavailable"
    ):
        made.remove_namespaces(0.05)


def test_without_readiness_probes_a_running_pod_is_enough(
    cluster: PretendedCluster, inventory: Inventory
) -> None:
    bare = Workload(
        Api(cluster, cluster, cluster, cluster), inventory, load_expectations("macvlan", {"host_shim": False})
    )
    _start(bare)
    for pod in cluster.pods.values():
        pod.status.conditions = []
    assert bare.wait_until_usable(bare.roles, 1).problems == {}
    assert "readinessProbe" not in cluster.deployment["spec"]["template"]["spec"]["containers"][0]


def _ended(reason: str) -> Any:
    last = SimpleNamespace(reason=reason, exit_code=1, message="no route\nto host", finished_at="01:02:03")
    return SimpleNamespace(
        name="daemon",
        container_id="containerd://1",
        restart_count=2,
        state=SimpleNamespace(waiting=None, running=object()),
        last_state=SimpleNamespace(terminated=last),
    )


def test_a_container_that_failed_is_told_and_a_reboot_is_not(
    inventory: Inventory, macvlan: Expectations
) -> None:
    body = Manifests(inventory, macvlan).probe("k8s-node1", macvlan)
    pod = _pod(body, "p", "u", 1, True)
    assert read_pod(pod).restarts == ()
    pod.status.container_statuses = [_ended("Error")]
    (restart,) = read_pod(pod).restarts
    assert str(restart) == (
        "daemon was started again 2 times; last at 01:02:03: Error, exit status 1, no route to host"
    )
    for reason in ("Unknown", "StartError"):
        pod.status.container_statuses = [_ended(reason)]
        assert read_pod(pod).restarts == ()


def test_what_a_container_of_the_cluster_wrote_last_is_told(
    cluster: PretendedCluster, inventory: Inventory, macvlan: Expectations
) -> None:
    pod = _pod(Manifests(inventory, macvlan).probe("k8s-node1", macvlan), "manager-1", "u", 1, True)
    pod.metadata.namespace = "kube-system"
    pod.status.container_statuses = [_ended("Error")]
    cluster.pods["manager-1"] = pod
    cluster.logs["manager-1", "daemon"] = "failed to renew lease\nleader election lost\n"
    judge = Workload(Api(cluster, cluster, cluster, cluster), inventory, macvlan)
    (seen,) = judge.all_pods_when_ready(0)
    assert seen.restarts[0].last_words == ("failed to renew lease", "leader election lost")
    cluster.logs.clear()
    (seen,) = judge.all_pods_when_ready(0)
    assert seen.restarts[0].last_words == ("its log cannot be read: HTTP 404 None",)


def test_every_group_has_a_pod_on_every_node_with_its_annotation(
    cluster: PretendedCluster, inventory: Inventory
) -> None:
    both = Workload(Api(cluster, cluster, cluster, cluster), inventory, load_expectations("hybridnet", {}))
    _start(both)
    pods = both.wait_until_usable(both.roles, 1)
    assert pods.problems == {}
    key = "networking.alibaba.com/network-type"
    kinds = {name: pod.metadata.annotations[key] for name, pod in cluster.pods.items()}
    assert {kinds.pop(name) for name in (pods.found[BACKEND].name, *both.crowd_roles)} == {"Overlay"}
    nodes = [node.name for node in inventory.nodes]
    assert kinds == {
        **{probe_name(node, "overlay"): "Overlay" for node in nodes},
        **{probe_name(node, "underlay"): "Underlay" for node in nodes},
    }


def test_a_pod_without_statuses_does_not_run(inventory: Inventory, macvlan: Expectations) -> None:
    pod = _pod(Manifests(inventory, macvlan).probe("n", macvlan), "p", "u", 1, True)
    pod.status.container_statuses = None
    assert not read_pod(pod).running


def test_ten_pods_start_with_the_others_on_all_nodes_and_are_removed_alone(
    cluster: PretendedCluster, made: Workload
) -> None:
    _start(made)
    ten = made.wait_until_usable(made.roles_at_once, 1)
    assert ten.problems == {}
    assert len(ten.found) == 10
    assert Counter(pod.node for pod in ten.found.values()) == {
        "k8s-master1": 3,
        "k8s-node1": 4,
        "k8s-node2": 3,
    }
    made.remove_crowd(1)
    assert set(made.pods()) == set(made.roles)


def test_after_a_reboot_what_the_api_still_says_from_before_does_not_count(
    cluster: PretendedCluster, made: Workload
) -> None:
    _start(made)
    role = probe_name("k8s-node2")
    before = {role: made.wait_until_usable(made.roles, 1).found[role]}
    stale = made.wait_until_usable(made.roles, 0.05, before)
    assert set(stale.problems) == {role}
    cluster.pods[role].status.container_statuses[0].container_id = "containerd://another"
    assert made.wait_until_usable(made.roles, 1, before).problems == {}


def test_a_brief_run_makes_no_crowd(made: Workload) -> None:
    _start(made, with_crowd=False)
    assert made.wait_until_usable(made.roles, 1).problems == {}
    assert set(made.pods()) == set(made.roles)


def test_all_is_removed_and_nothing_makes_new_pods_meanwhile(
    cluster: PretendedCluster, made: Workload
) -> None:
    _start(made)
    made.remove_pods(0.05)
    assert cluster.pods == {}
    made.remove_namespaces(0.05)
    assert not cluster.namespace


def test_a_namespace_that_stays_is_told_with_what_it_still_holds(
    cluster: PretendedCluster, made: Workload
) -> None:
    _start(made)
    cluster.namespace_conditions = [
        SimpleNamespace(type="NamespaceDeletionContentFailure", status="False", message="all went well"),
        SimpleNamespace(
            type="NamespaceContentRemaining",
            status="True",
            message="Some resources are remaining: ipinstances.networking.alibaba.com has 3 instances",
        ),
    ]
    with pytest.raises(SuiteError, match="is not gone after 0 s: Some resources are remaining: ip") as told:
        made.remove_namespaces(0.05)
    assert "all went well" not in str(told.value)
