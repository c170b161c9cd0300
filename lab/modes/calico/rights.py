"""What calico's service accounts may do: the cluster roles of calico's manifest."""

from __future__ import annotations

from lab.cluster.api import Manifest
from lab.modes.calico.names import CONTROLLERS, GROUP, NAMESPACE, NODE, Json

_Rule = tuple[str, tuple[str, ...], tuple[str, ...]]
"""API group, resources, verbs."""

_READ = ("get", "list", "watch")
_KEEP = ("get", "list", "create", "update", "delete")
_ADDRESSES = ("blockaffinities", "ipamblocks", "ipamhandles")

_OF_NODE: tuple[_Rule, ...] = (
    ("", ("pods", "nodes", "namespaces", "serviceaccounts", "endpoints", "services"), _READ),
    ("", ("configmaps",), ("get",)),
    ("", ("nodes/status",), ("patch", "update")),
    ("", ("pods/status",), ("patch",)),
    ("discovery.k8s.io", ("endpointslices",), ("list", "watch")),
    ("networking.k8s.io", ("networkpolicies",), ("list", "watch")),
    (
        GROUP,
        (
            *("bgpconfigurations", "bgppeers", "caliconodestatuses", "clusterinformations"),
            *("felixconfigurations", "globalbgpconfigs", "globalfelixconfigs", "globalnetworkpolicies"),
            *("globalnetworksets", "hostendpoints", "ippools", "ipreservations"),
            *("networkpolicies", "networksets", *_ADDRESSES),
        ),
        _READ,
    ),
    (GROUP, ("clusterinformations", "felixconfigurations", "ippools"), ("create", "update")),
    (GROUP, ("bgpconfigurations", "bgppeers"), ("create", "update")),
    (GROUP, ("caliconodestatuses",), ("update",)),
    (GROUP, _ADDRESSES, _KEEP),
    (GROUP, ("ipamconfigs",), ("get", "create")),
)

_OF_CONTROLLERS: tuple[_Rule, ...] = (
    ("", ("nodes", "pods"), _READ),
    (GROUP, ("ipreservations",), ("list",)),
    (GROUP, _ADDRESSES, (*_KEEP, "watch")),
    (GROUP, ("ippools",), ("list", "watch")),
    (GROUP, ("hostendpoints",), _KEEP),
    (GROUP, ("clusterinformations",), (*_READ, "create", "update")),
    (GROUP, ("kubecontrollersconfigurations",), ("get", "create", "update", "watch")),
)


def rights() -> tuple[Manifest, ...]:
    """Service account, role and binding of the node's daemons and of the controllers."""
    tokens: Json = {
        "apiGroups": [""],
        "resources": ["serviceaccounts/token"],
        "resourceNames": [NODE],
        "verbs": ["create"],
    }
    return (
        *_rights(NODE, [tokens, *map(_rule, _OF_NODE)]),
        *_rights(CONTROLLERS, [*map(_rule, _OF_CONTROLLERS)]),
    )


def _rule(rule: _Rule) -> Json:
    group, resources, verbs = rule
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}


def _rights(name: str, rules: list[Json]) -> tuple[Manifest, ...]:
    account = {"name": name, "namespace": NAMESPACE}
    rbac = "rbac.authorization.k8s.io"
    return (
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account},
        {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", **account}],
        },
    )
