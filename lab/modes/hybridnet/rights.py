"""What hybridnet's service account may do: the chart's cluster role."""

from __future__ import annotations

from lab.cluster.api import Manifest
from lab.modes.hybridnet.names import ACCOUNT, NAMESPACE, Json

ROLE = "system:hybridnet"
ALL = ("*",)
READ = ("get", "list", "watch")

_RULES: tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    (("networking.alibaba.com", "multicluster.alibaba.com"), ALL, ALL),
    (
        ("",),
        (
            *("pods", "namespaces", "nodes", "nodes/status"),
            *("configmaps", "services", "endpoints", "serviceaccounts"),
        ),
        ("create", *READ, "patch", "update"),
    ),
    (
        ("", "networking.k8s.io", "apps"),
        ("networkpolicies", "services", "endpoints", "statefulsets", "daemonsets"),
        READ,
    ),
    (("",), ("events",), ("create", "patch", "update")),
    (("admissionregistration.k8s.io", "crd.projectcalico.org"), ALL, ALL),
    (("discovery.k8s.io",), ("endpointslices",), ALL),
    (("coordination.k8s.io",), ("leases",), ("create", "get", "list", "update")),
    (("kubevirt.io",), ("virtualmachines", "virtualmachineinstances"), ("get", "list")),
)
"""API groups, resources, verbs."""


def rights() -> tuple[Manifest, ...]:
    """Service account, role and binding."""
    account = {"name": ACCOUNT, "namespace": NAMESPACE}
    rules: list[Json] = [
        {"apiGroups": list(groups), "resources": list(resources), "verbs": list(verbs)}
        for groups, resources, verbs in _RULES
    ]
    return (
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": ROLE},
            "rules": rules,
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": ACCOUNT},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ROLE},
            "subjects": [{"kind": "ServiceAccount", **account}],
        },
    )
