"""What is wrong in a cluster, named by its cause, for people whose lab does not do what it should."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.cluster.api import ClusterApi
from lab.cluster.objects import NodeState, PodState, Workload, WorkloadKind
from lab.cluster.readiness import nodes_not_ready
from lab.topology.plan import Plan


def cluster_problems(api: ClusterApi, plan: Plan, workloads: Sequence[Workload]) -> tuple[str, ...]:
    """One line each: nodes not Ready, workloads without pods, pods that no node takes, and why.

    Raises ApiError when the API server does not answer.
    """
    nodes = {node.name: node for node in api.nodes()}
    pods = {namespace: api.pods(namespace) for namespace in sorted({each.namespace for each in workloads})}
    found = nodes_not_ready(nodes.values(), plan)
    for workload in workloads:
        own = [pod for pod in pods[workload.namespace] if workload.owns(pod.name)]
        if workload.kind is WorkloadKind.DAEMON_SET:
            found += _daemons(workload, own, plan)
        else:
            found += _deployment(workload, own, nodes)
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
