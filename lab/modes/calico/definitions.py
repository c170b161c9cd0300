"""The definitions of calico's own objects, without their schemas.

calico checks its objects itself. The schemas in its manifest are 4,000 lines, which an API server under
emulation would be long at.
"""

from __future__ import annotations

from lab.cluster.api import Manifest
from lab.modes.calico.names import GROUP

_CLUSTER = {
    "BGPConfiguration": "bgpconfigurations",
    "BGPPeer": "bgppeers",
    "BlockAffinity": "blockaffinities",
    "CalicoNodeStatus": "caliconodestatuses",
    "ClusterInformation": "clusterinformations",
    "FelixConfiguration": "felixconfigurations",
    "GlobalNetworkPolicy": "globalnetworkpolicies",
    "GlobalNetworkSet": "globalnetworksets",
    "HostEndpoint": "hostendpoints",
    "IPAMBlock": "ipamblocks",
    "IPAMConfig": "ipamconfigs",
    "IPAMHandle": "ipamhandles",
    "IPPool": "ippools",
    "IPReservation": "ipreservations",
    "KubeControllersConfiguration": "kubecontrollersconfigurations",
}
_NAMESPACED = {"NetworkPolicy": "networkpolicies", "NetworkSet": "networksets"}
"""Kinds and their plurals, as in manifests/crds.yaml of calico v3.25.0."""

_ANYTHING = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}


def definitions() -> tuple[Manifest, ...]:
    """All kinds of objects that calico 3.25 keeps in the Kubernetes API."""
    cluster = (_definition(kind, plural, "Cluster") for kind, plural in _CLUSTER.items())
    namespaced = (_definition(kind, plural, "Namespaced") for kind, plural in _NAMESPACED.items())
    return (*cluster, *namespaced)


def _definition(kind: str, plural: str, scope: str) -> Manifest:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()},
            "scope": scope,
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": _ANYTHING}],
        },
    }
