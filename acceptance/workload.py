"""The suite's own pods and Services: made once, waited for, replaced once, removed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Address
from typing import Any

from kubernetes.client.exceptions import ApiException

from acceptance.api_answers import API_ERRORS, HTTP_NOT_FOUND, again, api_reason, made, until
from acceptance.clearing import remove_namespace, remove_pods
from acceptance.cluster import REQUEST_TIMEOUT, Api, ClusterPod
from acceptance.diagnosis import FreshService
from acceptance.expectations import Expectations, ServiceWay
from acceptance.inventory import Inventory
from acceptance.manifests import (
    BACKEND,
    CROWD_APP,
    CROWD_NAMESPACES,
    NAMESPACE,
    Manifests,
    backend_service,
    headless_service,
    probe_name,
)
from acceptance.problems import Problem, SuiteError

REQUESTS_AT_ONCE = 8
ALL_NAMESPACES = (NAMESPACE, *CROWD_NAMESPACES)


@dataclass(frozen=True)
class BackendService:
    name: str
    cluster_ip: IPv4Address
    http_node_port: int
    udp_node_port: int

    @property
    def fresh(self) -> FreshService:
        return FreshService(f"{NAMESPACE}/{self.name}", self.cluster_ip)


@dataclass(frozen=True)
class Pods:
    """The suite's pods by role (probe-NODE, backend) when waiting ended; those not usable have a problem."""

    found: Mapping[str, ClusterPod]
    problems: Mapping[str, Problem]

    def of(self, roles: Iterable[str]) -> Pods:
        """Those of these roles alone, in the order of the roles."""
        wanted = tuple(roles)
        return Pods(
            {role: self.found[role] for role in wanted if role in self.found},
            {role: self.problems[role] for role in wanted if role in self.problems},
        )

    @property
    def usable(self) -> dict[str, ClusterPod]:
        return {role: pod for role, pod in self.found.items() if role not in self.problems}


class Workload:
    """The suite's namespace on one cluster."""

    def __init__(self, api: Api, inventory: Inventory, expectations: Expectations) -> None:
        self._api = api
        self._inventory = inventory
        self._expectations = expectations
        self._manifests = Manifests(inventory, expectations)
        self._readiness = expectations.ready

    @property
    def roles(self) -> tuple[str, ...]:
        groups = self._expectations.groups
        return (*(role for of_group in groups for role in self._probes_of(of_group.group)), BACKEND)

    @property
    def crowd_roles(self) -> tuple[str, ...]:
        """Of the pods that start at once: those that are there for this only."""
        return self._manifests.crowd_names

    @property
    def roles_at_once(self) -> tuple[str, ...]:
        """All pods that start at once and are asked for their names."""
        return (*self._probes_of(self._expectations.group), BACKEND, *self.crowd_roles)

    def _probes_of(self, group: str) -> tuple[str, ...]:
        return tuple(probe_name(node.name, group) for node in self._inventory.nodes)

    def prepare(self, deadline_seconds: float) -> BackendService:
        """Make namespaces and Services; what an earlier run left is removed first. Raises SuiteError."""
        self.remove_pods(deadline_seconds)
        self.remove_namespaces(deadline_seconds)
        for name in ALL_NAMESPACES:
            self._make_namespace(name, deadline_seconds)
        self._make_service(headless_service(), deadline_seconds)
        service = self._make_service(backend_service(), deadline_seconds)
        for name in ALL_NAMESPACES:
            self._wait_for_service_account(name, deadline_seconds)
        ports = {port.name: port.node_port for port in service.spec.ports}
        return BackendService(BACKEND, IPv4Address(service.spec.cluster_ip), ports["http"], ports["udp"])

    def start_pods(self, deadline_seconds: float, *, with_crowd: bool = True) -> None:
        """Make all pods at once in the namespace that is prepared."""
        pods = [
            self._manifests.probe(node.name, of_group)
            for of_group in self._expectations.groups
            for node in self._inventory.nodes
        ]
        backend = self._manifests.backend()
        made(
            lambda: self._api.apps.create_namespaced_deployment(
                NAMESPACE, backend, _request_timeout=REQUEST_TIMEOUT
            ),
            lambda: None,
            deadline_seconds,
        )
        with ThreadPoolExecutor(max_workers=REQUESTS_AT_ONCE) as pool:
            # Each waits for the answers of admission webhooks, where there are any.
            all_pods = (*pods, *(self._manifests.crowd() if with_crowd else ()))
            list(pool.map(lambda pod: self._make_pod(pod, deadline_seconds), all_pods))

    def wait_until_usable(
        self,
        roles: Iterable[str],
        deadline_seconds: float,
        renewed: Mapping[str, ClusterPod] | None = None,
    ) -> Pods:
        """Wait for the pods of these roles; those not ready in time come with the last reason and events.

        Of the pods in `renewed`, by role, none of the containers seen there must be left: what the API says
        of a node that has just booted may still be from before.
        """
        wanted, before = tuple(roles), renewed or {}
        pods: dict[str, ClusterPod] = {}

        def usable(role: str) -> bool:
            pod = pods.get(role)
            old = before[role].containers if role in before else frozenset()
            return pod is not None and self._usable(pod) and not pod.containers & old

        def all_usable() -> bool:
            pods.clear()
            pods.update((role, pod) for role, pod in self.pods().items() if role in wanted)
            return all(map(usable, wanted))

        until(all_usable, deadline_seconds, lambda: sum(pod.stages for pod in pods.values()))
        return Pods(
            dict(pods),
            {
                role: self._why_not(role, pods.get(role), deadline_seconds)
                for role in wanted
                if not usable(role)
            },
        )

    def remove_crowd(self, deadline_seconds: float) -> None:
        """Let the crowd's pods end; nothing is waited for but the API server."""
        for name in CROWD_NAMESPACES:
            again(partial(self._remove_crowd_in, name), deadline_seconds)

    def _remove_crowd_in(self, namespace: str) -> None:
        self._api.core.delete_collection_namespaced_pod(
            namespace,
            label_selector=f"app={CROWD_APP}",
            grace_period_seconds=0,
            _request_timeout=REQUEST_TIMEOUT,
        )

    def wait_for_endpoints(
        self, wanted: Mapping[str, Iterable[IPv4Address]], deadline_seconds: float
    ) -> tuple[Problem, ...]:
        """Wait until exactly these addresses are behind these Services; of each other one a Problem."""
        expected = {service: frozenset(addresses) for service, addresses in wanted.items()}
        seen: dict[str, frozenset[IPv4Address]] = {}

        def there() -> bool:
            seen.update({each: frozenset(self._api.endpoints(NAMESPACE, each)) for each in expected})
            return seen == expected

        if until(there, deadline_seconds):
            return ()
        return tuple(
            Problem(
                f"after {deadline_seconds:.0f} s the endpoints of Service {service} are"
                f" {_listed(seen[service])}, expected {_listed(addresses)}"
            )
            for service, addresses in expected.items()
            if seen[service] != addresses
        )

    def replace_backend(self, old: ClusterPod, deadline_seconds: float) -> ClusterPod | Problem:
        """Delete the pod behind the Service and wait for the one that takes its place."""
        again(lambda: self._delete(old), deadline_seconds)
        latest: list[ClusterPod] = []

        def replaced() -> bool:
            latest[:] = [pod for role, pod in self.pods().items() if role == BACKEND and pod.uid != old.uid]
            return bool(latest) and self._usable(latest[0])

        if until(replaced, deadline_seconds):
            return latest[0]
        return self._why_not(BACKEND, latest[0] if latest else None, deadline_seconds)

    def all_pods_when_ready(self, deadline_seconds: float) -> tuple[ClusterPod, ...]:
        """All pods of the cluster, as soon as its own are ready, or as they are when time runs out.

        Those of its own that kubelet probes come with the last lines of the logs of what was started again.
        """
        latest: list[ClusterPod] = []

        def ready() -> bool:
            latest[:] = self._api.pods()
            return all(pod.ready for pod in latest if is_probed_system_pod(pod, self._expectations))

        until(ready, deadline_seconds)
        return tuple(
            self._with_last_words(pod) if is_probed_system_pod(pod, self._expectations) else pod
            for pod in latest
        )

    def remove_pods(self, deadline_seconds: float) -> None:
        """Remove all pods and wait until the cluster knows none. Raises SuiteError when one stays."""
        self._in_all_namespaces(lambda name: remove_pods(self._api, name, deadline_seconds))

    def remove_namespaces(self, deadline_seconds: float) -> None:
        """Remove the namespaces and wait until they are gone. Raises SuiteError when one stays."""
        self._in_all_namespaces(lambda name: remove_namespace(self._api, name, deadline_seconds))

    @staticmethod
    def _in_all_namespaces(do: Callable[[str], None]) -> None:
        with ThreadPoolExecutor(max_workers=len(ALL_NAMESPACES)) as pool:
            list(pool.map(do, ALL_NAMESPACES))

    def _make_namespace(self, name: str, seconds: float) -> None:
        core, body = self._api.core, {"metadata": {"name": name}}
        made(lambda: core.create_namespace(body, _request_timeout=REQUEST_TIMEOUT), lambda: None, seconds)

    def _make_service(self, service: dict[str, Any], seconds: float) -> Any:
        core, name = self._api.core, service["metadata"]["name"]
        return made(
            lambda: core.create_namespaced_service(NAMESPACE, service, _request_timeout=REQUEST_TIMEOUT),
            lambda: core.read_namespaced_service(name, NAMESPACE, _request_timeout=REQUEST_TIMEOUT),
            seconds,
        )

    def _make_pod(self, pod: dict[str, Any], seconds: float) -> None:
        core, namespace = self._api.core, pod["metadata"].get("namespace", NAMESPACE)
        made(
            lambda: core.create_namespaced_pod(namespace, pod, _request_timeout=REQUEST_TIMEOUT),
            lambda: None,
            seconds,
        )

    def _wait_for_service_account(self, namespace: str, deadline_seconds: float) -> None:
        """No pod is admitted before the controller manager has made the namespace's service account."""
        core = self._api.core

        def there() -> bool:
            core.read_namespaced_service_account("default", namespace, _request_timeout=REQUEST_TIMEOUT)
            return True

        try:
            until(there, deadline_seconds)
        except SuiteError as error:
            raise SuiteError(
                f"no service account in the new namespace after {deadline_seconds:.0f} s:"
                " kube-controller-manager is not at work, see `lab kubectl get pods -n kube-system`"
            ) from error

    def pods(self) -> dict[str, ClusterPod]:
        """The suite's pods as they are now, by role; those on their way out are left out."""
        return {
            pod.labels["role"]: pod
            for namespace in ALL_NAMESPACES
            for pod in self._api.pods(namespace)
            if "role" in pod.labels and not pod.leaving
        }

    def _delete(self, pod: ClusterPod) -> None:
        """Let a pod end; one that is gone already is no error."""
        try:
            self._api.core.delete_namespaced_pod(
                pod.name, NAMESPACE, grace_period_seconds=1, _request_timeout=REQUEST_TIMEOUT
            )
        except ApiException as error:
            if error.status != HTTP_NOT_FOUND:
                raise

    def _usable(self, pod: ClusterPod) -> bool:
        return pod.address is not None and (pod.ready if self._readiness else pod.running)

    def _with_last_words(self, pod: ClusterPod) -> ClusterPod:
        told = (replace(each, last_words=self._last_words(pod, each.container)) for each in pod.restarts)
        return replace(pod, restarts=tuple(told))

    def _last_words(self, pod: ClusterPod, container: str) -> tuple[str, ...]:
        try:
            return self._api.last_words(pod, container)
        except API_ERRORS as error:
            return (f"its log cannot be read: {api_reason(error)}",)

    def _why_not(self, role: str, pod: ClusterPod | None, seconds: float) -> Problem:
        if pod is None:
            return Problem(f"pod {role} does not exist after {seconds:.0f} s")
        wanted = "Ready" if self._readiness else "Running"
        try:
            events = self._api.warnings(pod.namespace, pod.name)
        except API_ERRORS as error:
            events = (f"its events cannot be read: {api_reason(error)}",)
        said = f"pod {pod.name} on {pod.node or 'no node'} is not {wanted} after {seconds:.0f} s: {pod.state}"
        return Problem("; ".join((said, *events)))


def is_probed_system_pod(pod: ClusterPod, expectations: Expectations) -> bool:
    """A pod of the cluster itself (kube-system ...), not on its way out, that kubelet can probe.

    The others never become ready, and kubelet starts those with a liveness probe, such as CoreDNS, again and
    again. Where pods do not reach the API by its ClusterIP, CoreDNS is not ready either.
    """
    own = pod.namespace.startswith("kube-") and not pod.leaving
    served = expectations.services[ServiceWay.POD_TO_API].answers
    return own and ((expectations.ready and served) or pod.host_network)


def _listed(addresses: Iterable[IPv4Address]) -> str:
    return ", ".join(map(str, sorted(addresses))) or "none"
