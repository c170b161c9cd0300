"""What is wrong in a cluster, named by its cause, for people whose lab does not do what it should."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from lab.cluster.api import ApiError, ClusterApi
from lab.cluster.objects import NodeState, PodState, Workload, WorkloadKind
from lab.cluster.readiness import HEALTH, KUBE_PROXY, KUBE_PROXY_HEALTH_PORT, has_proxy_units, nodes_not_ready
from lab.topology.plan import Plan

ANSWER_SECONDS = 5.0
"""How long kube-proxy or kubelet of a node may take to answer before it counts as silent."""
REFUSED = "connection refused"
"""What the API server says of a port that nothing listens on."""


def cluster_problems(
    api: ClusterApi, nodes: Mapping[str, NodeState], plan: Plan, workloads: Sequence[Workload]
) -> tuple[str, ...]:
    """One line each: nodes not Ready, workloads without pods, pods that no node takes, and why.

    Pods of kube-proxy that are ready are asked too: it has no readiness probe, so one that is halted stays
    ready. Raises ApiError when the API server does not answer.
    """
    pods = {namespace: api.pods(namespace) for namespace in sorted({each.namespace for each in workloads})}
    found = nodes_not_ready(nodes.values(), plan)
    for workload in workloads:
        own = [pod for pod in pods[workload.namespace] if workload.owns(pod.name)]
        if workload.kind is WorkloadKind.DAEMON_SET:
            found += _daemons(workload, own, plan)
        else:
            found += _deployment(workload, own, nodes)
        if workload == KUBE_PROXY:
            found += _kube_proxies([_ProxyPod(api, pod) for pod in own if pod.ready])
    if has_proxy_units(plan):
        found += _kube_proxies([_ProxyUnit(api, node.name) for node in plan.nodes if node.name in nodes])
    return tuple(found)


def _daemons(workload: Workload, pods: Sequence[PodState], plan: Plan) -> list[str]:
    """A DaemonSet has a pod that runs on every node."""
    by_node = {pod.node: pod for pod in pods}
    found = []
    for node in plan.nodes:
        pod = by_node.get(node.name)
        if pod is None:
            found.append(f"{workload.name} is not running on {node.name}: it has no pod there")
        elif not pod.ready:
            found.append(f"{workload.name} is not running on {node.name}: {_said(pod)}")
    return found


class _Proxy(Protocol):
    """kube-proxy on one node, as it can be asked and helped there."""

    api: ClusterApi

    @property
    def node(self) -> str: ...

    @property
    def start_anew(self) -> str: ...

    @property
    def log(self) -> str: ...

    def check(self) -> None:
        """Raises ApiError when it does not say that it is well."""
        ...


@dataclass
class _ProxyPod:
    api: ClusterApi
    pod: PodState

    @property
    def node(self) -> str:
        return self.pod.node

    @property
    def start_anew(self) -> str:
        return f"`lab kubectl delete pod -n {KUBE_PROXY.namespace} {self.pod.name}` starts a new one"

    @property
    def log(self) -> str:
        return f"`lab kubectl logs -n {KUBE_PROXY.namespace} {self.pod.name}` says more"

    def check(self) -> None:
        port, path = HEALTH[KUBE_PROXY]
        self.api.check_pod(KUBE_PROXY.namespace, self.pod.name, port, path, ANSWER_SECONDS)


@dataclass
class _ProxyUnit:
    api: ClusterApi
    node: str

    @property
    def start_anew(self) -> str:
        return f"`lab exec {self.node} -- systemctl restart kube-proxy` starts it again"

    @property
    def log(self) -> str:
        return f"`lab exec {self.node} -- journalctl --unit kube-proxy` says more"

    def check(self) -> None:
        self.api.check_node(self.node, *HEALTH[KUBE_PROXY], ANSWER_SECONDS)


def _kube_proxies(proxies: Sequence[_Proxy]) -> list[str]:
    """What is wrong with kube-proxy where the cluster takes it for ready, all nodes asked at once."""
    with ThreadPoolExecutor(max(1, len(proxies))) as pool:
        return [said for said in pool.map(_kube_proxy, proxies) if said]


def _kube_proxy(proxy: _Proxy) -> str:
    """Empty when it answers and keeps up: its /healthz is 503 when an update waits for over a minute."""
    try:
        proxy.check()
    except ApiError as error:
        if not _kubelet_answers(proxy.api, proxy.node):
            return (
                f"{proxy.node} does not answer the API server, neither kubelet nor kube-proxy;"
                f" `lab logs {proxy.node}.console` shows its console"
            )
        if REFUSED in (error.details or ""):
            return f"kube-proxy is not running on {proxy.node}: nothing listens there; {proxy.start_anew}"
        if error.status is None:
            return (
                f"kube-proxy on {proxy.node} does not answer on port {KUBE_PROXY_HEALTH_PORT}:"
                f" it is there and does nothing; {proxy.start_anew}"
            )
        return (
            f"kube-proxy on {proxy.node} is not healthy, its rules may be old: {error.details}; {proxy.log}"
        )
    return ""


def _kubelet_answers(api: ClusterApi, node: str) -> bool:
    try:
        api.check_kubelet(node, ANSWER_SECONDS)
    except ApiError:
        return False
    return True


def _deployment(workload: Workload, pods: Sequence[PodState], nodes: Mapping[str, NodeState]) -> list[str]:
    if not pods:
        return [f"{workload.name} has no pod"]
    found = []
    for pod in pods:
        missing = [
            f"{key}={value}"
            for key, value in pod.node_selector.items()
            if all(node.labels.get(key) != value for node in nodes.values())
        ]
        if not pod.node and missing:
            found.append(
                f"pod {pod.name} is on no node: no node has the label {' or '.join(missing)};"
                f" `lab kubectl label node NODE {missing[0]}`"
            )
        elif not pod.ready:
            found.append(f"pod {pod.name} on {pod.node or 'no node'} is not ready: {_said(pod)}")
    return found


def _said(pod: PodState) -> str:
    return "; ".join((f"its pod {pod.name} is {pod.phase}", *pod.reasons))
