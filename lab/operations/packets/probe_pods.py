"""Pods of the lab's own, to measure and to trace between: they do nothing, each on a node that is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any

from lab.cluster.api import Manifest
from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.operations.context import Lab
from lab.topology.plan import NodePlan, Plan

IMAGE = "agnhost"
READY_LIMIT = 900.0


@dataclass(frozen=True)
class ProbePod:
    name: str
    node: str
    annotations: Mapping[str, str] = field(default_factory=dict)
    """By which a mode with several kinds of pods knows this one's."""


def probe_nodes(plan: Plan) -> tuple[NodePlan, ...]:
    """All nodes, those first on which probe pods go: workers rather than the control plane."""
    return (*plan.workers, *plan.control_planes)


def make_probe_pods(
    lab: Lab,
    namespace: str,
    pods: Sequence[ProbePod],
    more: Sequence[Manifest] = (),
    seconds: float = READY_LIMIT,
) -> Mapping[str, IPv4Address]:
    """The pods' addresses by name, once all are ready. `more` are objects beside them.

    Raises TimedOutError when they are not ready after so many seconds.
    """
    image = lab.images.named(IMAGE)
    lab.api.apply(
        [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
            *(_manifest(pod, namespace, image) for pod in pods),
            *more,
        ]
    )

    def all_ready() -> None:
        waiting = [pod.name for pod in lab.api.pods(namespace) if not pod.ready]
        if waiting:
            raise NotYetError(f"not ready: {', '.join(waiting)}")

    wait_for(
        all_ready,
        what=f"the pods of the namespace {namespace}",
        deadline=Deadline(seconds),
        resolution=f"see `lab kubectl describe pods -n {namespace}`",
    )
    return {pod.name: _address(lab, namespace, pod.name) for pod in pods}


def remove_probe_pods(lab: Lab, namespace: str) -> None:
    """Nothing is waited for. Raises ApiError."""
    lab.api.delete(f"/api/v1/namespaces/{namespace}")


def _address(lab: Lab, namespace: str, name: str) -> IPv4Address:
    return IPv4Address(lab.api.read(f"/api/v1/namespaces/{namespace}/pods/{name}")["status"]["podIP"])


def _manifest(pod: ProbePod, namespace: str, image: str) -> Mapping[str, Any]:
    container = {"name": pod.name, "image": image, "args": ["pause"], "imagePullPolicy": "Never"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod.name,
            "namespace": namespace,
            "labels": {"app": pod.name},
            "annotations": dict(pod.annotations),
        },
        "spec": {"nodeName": pod.node, "terminationGracePeriodSeconds": 0, "containers": [container]},
    }
