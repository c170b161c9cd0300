"""Waiting on the cluster, with reasons that name the nodes and pods that keep it from being ready."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from lab.cluster.api import ApiError, ClusterApi
from lab.cluster.objects import NodeState, PodState, Rollout, Workload, WorkloadKind
from lab.foundation.progress import StepContext
from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.topology.models import KubeProxy
from lab.topology.plan import Plan

SYSTEM = "kube-system"

KUBE_PROXY = Workload(WorkloadKind.DAEMON_SET, SYSTEM, "kube-proxy")
KUBE_PROXY_HEALTH_PORT = 10256
"""KubeProxyConfiguration's healthzBindAddress where nothing is said about it, on the node's own addresses."""
KUBELET_HEALTH_PORT = 10248
"""KubeletConfiguration's healthzPort where nothing is said about it, on loopback."""

COREDNS = Workload(WorkloadKind.DEPLOYMENT, SYSTEM, "coredns")
COREDNS_HEALTH_PORT = 8080
"""The plugin health's, https://coredns.io/plugins/health/."""

HEALTH = {KUBE_PROXY: (KUBE_PROXY_HEALTH_PORT, "/healthz"), COREDNS: (COREDNS_HEALTH_PORT, "/health")}
"""Port and path where a pod of the workload says how it is."""


def wait_serving(api: ClusterApi, at: StepContext, deadline: Deadline) -> None:
    """Wait until the API server says it is ready. Raises TimedOutError."""
    wait_for(api.check_serving, what="the API server", deadline=deadline, on_wait=at.doing)


def has_proxy_units(plan: Plan) -> bool:
    """Whether kube-proxy is a unit of every node, and no workload of the cluster."""
    return plan.from_binaries and plan.kubernetes.kube_proxy is not KubeProxy.NONE


def wait_joined(api: ClusterApi, plan: Plan, at: StepContext, deadline: Deadline) -> None:
    """Wait until the cluster knows all nodes, Ready or not. Raises TimedOutError that names the others."""

    def check() -> None:
        known = {node.name for node in api.nodes()}
        missing = [node.name for node in plan.nodes if node.name not in known]
        if missing:
            raise NotYetError(f"{', '.join(missing)} have not joined")

    wait_for(check, what="all nodes have joined", deadline=deadline, retry_on=(ApiError,), on_wait=at.doing)


def wait_until_well(
    api: ClusterApi, plan: Plan, workloads: Sequence[Workload], at: StepContext, deadline: Deadline
) -> None:
    """Wait until all is ready and answers too. Raises TimedOutError."""
    wait_ready(api, plan, workloads, at, deadline)
    wait_answering(api, plan, workloads, at, deadline)


def wait_ready(
    api: ClusterApi, plan: Plan, workloads: Sequence[Workload], at: StepContext, deadline: Deadline
) -> None:
    """Wait until all nodes are Ready and all pods of the workloads are.

    Raises TimedOutError that names what is not ready, and why as far as the cluster says.
    """
    wait_for(
        lambda: check_ready(api, plan, workloads),
        what="the cluster is ready",
        deadline=deadline,
        retry_on=(ApiError,),
        on_wait=at.doing,
        resolution="`lab kubectl get pods --all-namespaces` and `lab logs` show more; "
        "run the same command again to continue waiting",
    )


def wait_unschedulable(api: ClusterApi, workload: Workload, at: StepContext, deadline: Deadline) -> str:
    """Wait until the scheduler says that no node can take a pod of the workload; returns its event.

    Raises TimedOutError when it does not say so.
    """

    def refusal() -> str:
        for name, warning in api.last_warnings(workload.namespace).items():
            if workload.owns(name) and warning.startswith("FailedScheduling"):
                return f"pod {name}: {warning}"
        raise NotYetError(f"no pod of {workload} was refused by the scheduler")

    return wait_for(
        refusal,
        what=f"the scheduler refuses pods of {workload}",
        deadline=deadline,
        retry_on=(ApiError,),
        on_wait=at.doing,
    )


def check_ready(api: ClusterApi, plan: Plan, workloads: Sequence[Workload]) -> None:
    """Return when nodes and workloads are ready. Raises NotYetError that says what is not."""
    reasons = nodes_not_ready(api.nodes(), plan)
    for workload in workloads:
        missing = _not_rolled_out(api.rollout(workload))
        if missing:
            reasons += [f"{workload}: {missing}", *_pods_not_ready(api, workload)]
    if reasons:
        raise NotYetError("\n".join(reasons))


def wait_answering(
    api: ClusterApi, plan: Plan, workloads: Sequence[Workload], at: StepContext, deadline: Deadline
) -> None:
    """Wait until all kubelets and the workloads' pods of kube-proxy and CoreDNS answer now.

    What the API server knows of nodes and pods is as old as their last report: after a snapshot was brought
    back, as old as the snapshot. Raises TimedOutError.
    """
    asked_for_health = [(each, *HEALTH[each]) for each in workloads if each in HEALTH]
    proxies = plan.nodes if has_proxy_units(plan) else ()

    def check() -> None:
        pods = [pod.name for pod in api.pods(SYSTEM)]
        with ThreadPoolExecutor() as pool:
            asked = [pool.submit(api.check_kubelet, node.name) for node in plan.nodes]
            port, path = HEALTH[KUBE_PROXY]
            asked += [pool.submit(api.check_node, node.name, port, path) for node in proxies]
            for workload, port, path in asked_for_health:
                own = [pod for pod in pods if workload.owns(pod)]
                asked += [pool.submit(api.check_pod, SYSTEM, pod, port, path) for pod in own]
        for answer in asked:
            answer.result()

    wait_for(
        check,
        what="nodes, kube-proxy and DNS answer",
        deadline=deadline,
        interval=0.2,
        retry_on=(ApiError,),
        on_wait=at.doing,
    )


def is_ready(api: ClusterApi, plan: Plan, workloads: Sequence[Workload]) -> bool:
    try:
        check_ready(api, plan, workloads)
    except (NotYetError, ApiError):
        return False
    return True


def nodes_not_ready(found: Iterable[NodeState], plan: Plan) -> list[str]:
    """One line for each node of the plan that is not Ready among those found."""
    by_name = {node.name: node for node in found}
    reasons = []
    for node in plan.nodes:
        state = by_name.get(node.name)
        if state is None:
            reasons.append(f"node {node.name} has not joined")
        elif not state.ready:
            reasons.append(f"node {node.name} is not Ready: {state.message}")
    return reasons


def _not_rolled_out(state: Rollout | None) -> str:
    """Why the workload's pods are not all there in its newest version; empty when they are."""
    if state is None:
        return "it does not exist"
    if not state.observed:
        return "the controller manager has not processed it yet"
    return "" if state.ready >= state.wanted else f"{state.ready} of {state.wanted} pods ready"


def _pods_not_ready(api: ClusterApi, workload: Workload) -> list[str]:
    pods = [pod for pod in api.pods(workload.namespace) if workload.owns(pod.name) and not pod.ready]
    warnings = api.last_warnings(workload.namespace) if pods else {}
    return [_why_not_ready(pod, warnings.get(pod.name)) for pod in pods]


def _why_not_ready(pod: PodState, warning: str | None) -> str:
    where = f" on {pod.node}" if pod.node else ""
    said = [f"pod {pod.name}{where}: {pod.phase}", *pod.reasons, *([warning] if warning else [])]
    return "; ".join(said)
