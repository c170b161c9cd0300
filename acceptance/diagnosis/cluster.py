"""What the cluster as a whole says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from acceptance.cluster import ClusterNode, ClusterPod
from acceptance.diagnosis.subject import Subject
from acceptance.problems import Problem


def labels(subject: Subject) -> list[str]:
    """Has the node the labels that the topology gives it?"""
    if subject.cluster_node is None:
        return []
    return [
        f"{subject.node.name} lacks the label {key}={value} that the topology gives it"
        for key, value in subject.node.labels.items()
        if subject.cluster_node.labels.get(key) != value
    ]


def cluster_causes(
    nodes: Mapping[str, ClusterNode] | Problem, pods: Sequence[ClusterPod] | Problem
) -> tuple[str, ...]:
    """What is wrong with the cluster as a whole: nodes not Ready, no DNS."""
    said: list[str] = []
    if isinstance(nodes, Problem):
        said.append(str(nodes))
    else:
        said += [
            f"node {node.name} is not Ready: {node.not_ready_because}"
            for node in nodes.values()
            if not node.ready
        ]
    if isinstance(pods, Problem):
        said.append(str(pods))
    else:
        dns = [pod for pod in pods if pod.labels.get("k8s-app") == "kube-dns"]
        if not dns:
            said.append("there is no CoreDNS pod (label k8s-app=kube-dns)")
        elif not any(pod.ready for pod in dns):
            states = ", ".join(f"{pod.name} on {pod.node or 'no node'}: {pod.state}" for pod in dns)
            said.append(f"no CoreDNS pod is Ready: {states}")
    return tuple(said)
