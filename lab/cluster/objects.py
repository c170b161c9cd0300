"""What the lab wants to know of the cluster's objects, taken out of the API's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network
from typing import Any

Json = Mapping[str, Any]


class WorkloadKind(StrEnum):
    DEPLOYMENT = "Deployment"
    DAEMON_SET = "DaemonSet"


@dataclass(frozen=True)
class Workload:
    """Something whose pods must all be ready."""

    kind: WorkloadKind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.lower()} {self.namespace}/{self.name}"

    @property
    def path(self) -> str:
        """Where the API has it."""
        return f"/apis/apps/v1/namespaces/{self.namespace}/{self.kind.lower()}s/{self.name}"

    def owns(self, pod: str) -> bool:
        """Whether the pod of that name, in the same namespace, is one of its pods."""
        return pod.startswith(f"{self.name}-")


@dataclass(frozen=True)
class NodeState:
    name: str
    labels: Mapping[str, str]
    ready: bool
    message: str
    """What kubelet says about the condition Ready."""
    version: str
    """Kubelet's version."""
    pod_block: IPv4Network | None = None
    """None until the controller manager has given it one."""


@dataclass(frozen=True)
class PodState:
    name: str
    node: str
    """Empty while the pod has no node."""
    phase: str
    ready: bool
    reasons: tuple[str, ...]
    """Why it is not ready: what its containers wait for or ended with, or why it has no node."""
    node_selector: Mapping[str, str]
    """Labels that its node must have."""


@dataclass(frozen=True)
class Rollout:
    """How far a workload is: pods wanted, and pods of the newest version that are ready."""

    observed: bool
    """False while the controller manager has not looked at its newest version."""
    wanted: int
    ready: int


def node_state(item: Json) -> NodeState:
    condition = _condition(item, "Ready")
    return NodeState(
        name=item["metadata"]["name"],
        labels=item["metadata"].get("labels") or {},
        ready=condition.get("status") == "True",
        message=condition.get("message", "kubelet has not reported yet"),
        version=item["status"]["nodeInfo"]["kubeletVersion"],
        pod_block=IPv4Network(block) if (block := item.get("spec", {}).get("podCIDR")) else None,
    )


def pod_state(item: Json) -> PodState:
    status = item["status"]
    reasons = [
        reason
        for each in status.get("containerStatuses", [])
        if (reason := _container_reason(each)) is not None
    ]
    scheduled = _condition(item, "PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("message"):
        reasons.append(scheduled["message"])
    return PodState(
        name=item["metadata"]["name"],
        node=item["spec"].get("nodeName", ""),
        phase=status.get("phase", "Unknown"),
        ready=_condition(item, "Ready").get("status") == "True",
        reasons=tuple(reasons),
        node_selector=item["spec"].get("nodeSelector") or {},
    )


def rollout(kind: WorkloadKind, item: Json) -> Rollout:
    status = item.get("status", {})
    observed = status.get("observedGeneration") == item["metadata"].get("generation")
    if kind is WorkloadKind.DEPLOYMENT:
        counts = (status.get("updatedReplicas", 0), status.get("availableReplicas", 0))
        return Rollout(observed, item["spec"].get("replicas", 1), min(counts))
    counts = (status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0))
    wanted = status.get("desiredNumberScheduled", 0)
    return Rollout(observed and wanted > 0, wanted, min(counts))


def is_established(definition: Json) -> bool:
    """Whether objects of a CustomResourceDefinition may be made."""
    return _condition(definition, "Established").get("status") == "True"


def _condition(item: Json, kind: str) -> Json:
    for each in item.get("status", {}).get("conditions") or []:
        if each["type"] == kind:
            return dict(each)
    return {}


def _container_reason(status: Json) -> str | None:
    state = status.get("state", {})
    for kind, word in (("waiting", ""), ("terminated", "ended: ")):
        if kind in state:
            said = f"{state[kind].get('reason', '')} {state[kind].get('message', '')}".strip()
            return f"{status['name']} {word}{said}"
    return None if status.get("ready") else f"{status['name']} runs but is not ready"
