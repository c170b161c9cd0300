"""kube-network-policies: drops what NetworkPolicies forbid, where pods' packets pass their nodes' netfilter.

The objects are those of the file install.yaml in the Go module, with three differences: the API is reached by
its endpoint, there is no NRI (containerd before v1.7 has none), and no packet is logged.
"""

from __future__ import annotations

from dataclasses import replace

from lab.cluster.api import Manifest
from lab.cluster.objects import Workload, WorkloadKind
from lab.cluster.readiness import SYSTEM
from lab.modes.mode import Images, Mode, ModeSetup
from lab.modes.workloads import workload_manifest
from lab.topology.models import PolicyEnforcer
from lab.topology.plan import Plan

NAME = "kube-network-policies"
ENFORCERS = Workload(WorkloadKind.DAEMON_SET, SYSTEM, NAME)
QUEUE = 98
"""Of nfnetlink_queue; install.yaml's own."""


def enforces(plan: Plan, mode: Mode) -> bool:
    """Whether anybody drops what a NetworkPolicy forbids."""
    return mode.enforces_policies or plan.kubernetes.policy is not PolicyEnforcer.NONE


def images_needed(plan: Plan, mode: Mode) -> tuple[str, ...]:
    """Names of the images beside those of every cluster: the mode's, and the enforcer's if there is one."""
    return mode.images if plan.kubernetes.policy is PolicyEnforcer.NONE else (*mode.images, NAME)


def with_enforcer(setup: ModeSetup, plan: Plan, images: Images) -> ModeSetup:
    """The mode arranged, and the enforcer where the plan has one."""
    if plan.kubernetes.policy is PolicyEnforcer.NONE:
        return setup
    return replace(
        setup,
        manifests=(*setup.manifests, *manifests(plan, images.named(NAME))),
        workloads=(*setup.workloads, ENFORCERS),
    )


def manifests(plan: Plan, image: str) -> tuple[Manifest, ...]:
    """Everything in the cluster."""
    account = {"name": NAME, "namespace": SYSTEM}
    watch = ["list", "watch"]
    group = "rbac.authorization.k8s.io"
    return (
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account},
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": NAME},
            "rules": [
                {"apiGroups": [""], "resources": ["pods", "namespaces"], "verbs": watch},
                {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": watch},
            ],
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": NAME},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": NAME},
            "subjects": [{"kind": "ServiceAccount", **account}],
        },
        workload_manifest(ENFORCERS, {"app": NAME}, _pod(plan, image)),
    )


def _pod(plan: Plan, image: str) -> dict[str, object]:
    container = {
        "name": NAME,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": [
            "/bin/netpol",
            "--hostname-override=$(NODE_NAME)",
            f"--nfqueue-id={QUEUE}",
            "--disable-nri",
        ],
        "env": [
            {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "KUBERNETES_SERVICE_HOST", "value": str(plan.api_on_nodes.address)},
            {"name": "KUBERNETES_SERVICE_PORT", "value": str(plan.api_on_nodes.port)},
        ],
        "resources": {"requests": {"cpu": "50m", "memory": "50Mi"}},
        "securityContext": {"privileged": True},
    }
    return {
        "hostNetwork": True,
        "priorityClassName": "system-node-critical",
        "serviceAccountName": NAME,
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
    }
