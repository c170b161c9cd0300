"""What the Kubernetes API says, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config

from acceptance.api_answers import api_reason
from acceptance.inventory import Taint
from acceptance.problems import SuiteError

REQUEST_TIMEOUT = 65
"""Seconds; a little longer than the API server gives a request itself (its --request-timeout, one minute):
then it is the one to say why it took so long. Admission webhooks alone may each take ten seconds."""

BAD_KUBECONFIG = (config.ConfigException, yaml.YAMLError, OSError, ValueError, TypeError)
"""What the client raises for a file that is no kubeconfig: TypeError for YAML of another shape, ValueError
for what is not base64."""


@dataclass(frozen=True)
class ClusterNode:
    name: str
    ready: bool
    not_ready_because: str
    kubelet_version: str
    runtime_version: str
    """Such as containerd://1.6.20."""
    internal_addresses: tuple[IPv4Address, ...]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    taints: tuple[Taint, ...]
    pod_cidr: IPv4Network | None


LOST_LEASE = ("leader election lost", "leaderelection lost", "failed to renew lease")
"""Words with which a program ends that could not renew its lease in time: those of controller-runtime's
pkg/manager/internal.go, of Kubernetes' own programs, of client-go's tools/leaderelection."""


@dataclass(frozen=True)
class Restart:
    """A container that was started again, and the end of its last life."""

    ended: datetime
    text: str
    container: str
    last_words: tuple[str, ...] = ()
    """The last lines of that life's log."""

    @property
    def lost_lease(self) -> bool:
        """Whether the program ended because the API server did not renew its lease within its ten seconds.

        It ends itself then, so that no two of its kind lead; it says that the control plane was starved, and
        nothing of the network.
        """
        return any(words in line for line in self.last_words for words in LOST_LEASE)

    def __str__(self) -> str:
        return "\n".join((self.text, *(f"    {line}" for line in self.last_words)))


@dataclass(frozen=True)
class ClusterPod:
    namespace: str
    name: str
    uid: str
    node: str | None
    address: IPv4Address | None
    host_network: bool
    running: bool
    ready: bool
    leaving: bool
    state: str
    """Running, Pending (ContainerCreating) ..."""
    labels: Mapping[str, str]
    restarts: tuple[Restart, ...] = ()
    """Containers that failed and were started again; what only happened to kubelet is no failure."""
    started: datetime | None = None
    """When its node first took it up."""
    containers: frozenset[str] = frozenset()
    """The runtime's ids of its containers."""

    @property
    def stages(self) -> int:
        """How far it has come on its way to be ready: it has a node, an address, runs, is ready."""
        return sum((self.node is not None, self.address is not None, self.running, self.ready))


@dataclass(frozen=True)
class Api:
    """A connection to the API server; one per thread is not needed, its pool is safe to share."""

    core: Any
    apps: Any
    discovery: Any
    custom: Any
    networking: Any = None

    @staticmethod
    def connect(kubeconfig: Path) -> Api:
        """Raises SuiteError when the kubeconfig is not usable."""
        settings = client.Configuration()
        settings.retries = 2
        try:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                str(kubeconfig), client_configuration=settings
            )
        except BAD_KUBECONFIG as error:
            raise SuiteError(f"the kubeconfig {kubeconfig} is not usable: {api_reason(error)}") from error
        # The client takes it from the environment; inside a lab there is none.
        settings.proxy = None
        made = client.ApiClient(settings)
        return Api(
            client.CoreV1Api(made),
            client.AppsV1Api(made),
            client.DiscoveryV1Api(made),
            client.CustomObjectsApi(made),
            client.NetworkingV1Api(made),
        )

    def nodes(self) -> tuple[ClusterNode, ...]:
        return tuple(read_node(node) for node in self.core.list_node(_request_timeout=REQUEST_TIMEOUT).items)

    def read_from_etcd(self, limit: float) -> None:
        """Read a small object, for which the API server asks etcd, within `limit` seconds."""
        self.core.read_namespace("default", _request_timeout=limit)

    def calico_blocks(self) -> Mapping[str, tuple[IPv4Network, ...]]:
        """The blocks of addresses that calico gave each node, by node name."""
        found = self.custom.list_cluster_custom_object(
            "crd.projectcalico.org", "v1", "blockaffinities", _request_timeout=REQUEST_TIMEOUT
        )
        return read_calico_blocks(found["items"])

    def pods(self, namespace: str | None = None) -> tuple[ClusterPod, ...]:
        """All pods, or those of one namespace."""
        if namespace is None:
            found = self.core.list_pod_for_all_namespaces(_request_timeout=REQUEST_TIMEOUT)
        else:
            found = self.core.list_namespaced_pod(namespace, _request_timeout=REQUEST_TIMEOUT)
        return tuple(read_pod(pod) for pod in found.items)

    def endpoints(self, namespace: str, service: str) -> frozenset[IPv4Address]:
        """The ready addresses behind a Service."""
        slices = self.discovery.list_namespaced_endpoint_slice(
            namespace,
            label_selector=f"kubernetes.io/service-name={service}",
            _request_timeout=REQUEST_TIMEOUT,
        )
        return frozenset(
            IPv4Address(address)
            for piece in slices.items
            for endpoint in piece.endpoints or ()
            if endpoint.conditions is None or endpoint.conditions.ready is not False
            for address in endpoint.addresses
        )

    def remove_pods(self, namespace: str) -> None:
        """Remove all Deployments and pods of a namespace; nothing is waited for.

        Pods go at once: with pods in it that take their time, a namespace takes several times theirs.
        """
        # ReplicaSets too: one that has lost its Deployment and is not collected yet makes new pods.
        self.apps.delete_collection_namespaced_deployment(namespace, _request_timeout=REQUEST_TIMEOUT)
        self.apps.delete_collection_namespaced_replica_set(namespace, _request_timeout=REQUEST_TIMEOUT)
        self.core.delete_collection_namespaced_pod(
            namespace, grace_period_seconds=0, _request_timeout=REQUEST_TIMEOUT
        )

    def holds_back(self, namespace: str) -> tuple[str, ...]:
        """What the controller manager says a namespace that is being removed still waits for."""
        found = self.core.read_namespace(namespace, _request_timeout=REQUEST_TIMEOUT)
        return tuple(c.message for c in found.status.conditions or () if c.status == "True")

    def last_words(self, pod: ClusterPod, container: str, lines: int = 5) -> tuple[str, ...]:
        """The last lines that a container wrote before it was started again."""
        log = self.core.read_namespaced_pod_log(
            pod.name,
            pod.namespace,
            container=container,
            previous=True,
            tail_lines=lines,
            _request_timeout=REQUEST_TIMEOUT,
        )
        return tuple(log.splitlines())

    def warnings(self, namespace: str, name: str, limit: int = 3) -> tuple[str, ...]:
        """The latest warning events about an object, newest first."""
        found = self.core.list_namespaced_event(
            namespace,
            field_selector=f"involvedObject.name={name},type=Warning",
            _request_timeout=REQUEST_TIMEOUT,
        )
        newest = sorted(
            found.items, key=lambda event: str(event.last_timestamp or event.event_time), reverse=True
        )
        return tuple(f"{event.reason}: {' '.join((event.message or '').split())}" for event in newest[:limit])


def read_node(node: Any) -> ClusterNode:
    """From a V1Node."""
    info = node.status.node_info
    ready = next((c for c in node.status.conditions or () if c.type == "Ready"), None)
    return ClusterNode(
        name=node.metadata.name,
        ready=ready is not None and ready.status == "True",
        not_ready_because=(ready.message or ready.reason or "") if ready else "it has no condition Ready",
        kubelet_version=info.kubelet_version,
        runtime_version=info.container_runtime_version,
        internal_addresses=tuple(
            IPv4Address(found.address) for found in node.status.addresses or () if found.type == "InternalIP"
        ),
        labels=node.metadata.labels or {},
        annotations=node.metadata.annotations or {},
        taints=tuple(
            Taint(key=taint.key, value=taint.value or "", effect=taint.effect)
            for taint in node.spec.taints or ()
        ),
        pod_cidr=IPv4Network(node.spec.pod_cidr) if node.spec.pod_cidr else None,
    )


def read_calico_blocks(affinities: Sequence[Mapping[str, Any]]) -> dict[str, tuple[IPv4Network, ...]]:
    """From calico's objects BlockAffinity; those that are being made or taken back are left out."""
    blocks: dict[str, tuple[IPv4Network, ...]] = {}
    for affinity in affinities:
        spec = affinity["spec"]
        if spec["state"] == "confirmed":
            blocks[spec["node"]] = (*blocks.get(spec["node"], ()), IPv4Network(spec["cidr"]))
    return blocks


def read_pod(pod: Any) -> ClusterPod:
    """From a V1Pod."""
    statuses = pod.status.container_statuses or ()
    ready = next((c for c in pod.status.conditions or () if c.type == "Ready"), None)
    waiting = [
        f"{status.state.waiting.reason}{f': {message}' if (message := status.state.waiting.message) else ''}"
        for status in statuses
        if status.state is not None and status.state.waiting is not None
    ]
    return ClusterPod(
        namespace=pod.metadata.namespace,
        name=pod.metadata.name,
        uid=pod.metadata.uid,
        node=pod.spec.node_name,
        address=IPv4Address(pod.status.pod_ip) if pod.status.pod_ip else None,
        host_network=bool(pod.spec.host_network),
        running=bool(statuses) and all(s.state is not None and s.state.running is not None for s in statuses),
        ready=ready is not None and ready.status == "True",
        leaving=pod.metadata.deletion_timestamp is not None,
        state=pod.status.phase + (f" ({'; '.join(waiting)})" if waiting else ""),
        labels=pod.metadata.labels or {},
        restarts=tuple(restart for status in statuses if (restart := _restart(status))),
        started=pod.status.start_time,
        containers=frozenset(status.container_id for status in statuses if status.container_id),
    )


NO_FAULT = ("Unknown", "StartError")
"""Ends that say nothing of the program: the runtime lost the container, as in a reboot, or never started it,
as when kubelet itself is started again meanwhile."""


def _restart(status: Any) -> Restart | None:
    ended = status.last_state.terminated if status.restart_count and status.last_state else None
    if ended is None or ended.reason in NO_FAULT:
        return None
    said = " ".join((ended.message or "").split())
    times = "once" if status.restart_count == 1 else f"{status.restart_count} times"
    return Restart(
        ended.finished_at,
        f"{status.name} was started again {times}; last at {ended.finished_at}: {ended.reason},"
        f" exit status {ended.exit_code}{f', {said}' if said else ''}",
        status.name,
    )
