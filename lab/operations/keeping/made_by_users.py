"""What users have made or changed in a cluster, as far as the cluster itself tells."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lab.cluster.api import FIELD_MANAGER, ApiError, ClusterApi

KINDS = (
    ("namespace", "/api/v1/namespaces"),
    ("deployment", "/apis/apps/v1/deployments"),
    ("daemonset", "/apis/apps/v1/daemonsets"),
    ("statefulset", "/apis/apps/v1/statefulsets"),
    ("cronjob", "/apis/batch/v1/cronjobs"),
    ("job", "/apis/batch/v1/jobs"),
    ("pod", "/api/v1/pods"),
    ("service", "/api/v1/services"),
    ("configmap", "/api/v1/configmaps"),
    ("secret", "/api/v1/secrets"),
    ("ingress", "/apis/networking.k8s.io/v1/ingresses"),
    ("networkpolicy", "/apis/networking.k8s.io/v1/networkpolicies"),
    ("persistentvolumeclaim", "/api/v1/persistentvolumeclaims"),
    ("node", "/api/v1/nodes"),
    ("network", "/apis/networking.alibaba.com/v1/networks"),
    ("subnet", "/apis/networking.alibaba.com/v1/subnets"),
    ("ippool", "/apis/crd.projectcalico.org/v1/ippools"),
)
"""Where the API lists them; the last three are there in some modes only."""
FIRST_SECONDS = 20.0
"""An API server that does not answer the first question in that time is not asked the others."""
SYSTEM = ("kube-", "lab-")
"""How namespaces begin whose objects are not users': of Kubernetes and network modes, and of this program."""
OF_EVERY_NAMESPACE = ("kube-root-ca.crt",)
API_SERVER = ("default", "kubernetes")
BY_HAND = ("kubectl", "helm", "k9s")
"""How the names of field managers begin with which users change what others have made:
https://kubernetes.io/docs/reference/using-api/server-side-apply/#managers."""


def made_by_users(api: ClusterApi) -> tuple[str, ...]:
    """Each as `kind name` or `kind namespace/name`: what is in no system namespace and was made by no
    controller, and what was changed by kubectl and the like, wherever it is.

    Raises ApiError when the API server does not answer.
    """
    return tuple(
        f"{kind} {_name(item)}" for kind, path in KINDS for item in _items(api, path) if _of_users(kind, item)
    )


def _items(api: ClusterApi, path: str) -> Iterator[dict[str, Any]]:
    try:
        yield from json.loads(api.text(path, seconds=FIRST_SECONDS))["items"]
    except ApiError as error:
        if error.status != 404:
            raise


def _name(item: dict[str, Any]) -> str:
    metadata = item["metadata"]
    return "/".join(each for each in (metadata.get("namespace", ""), metadata["name"]) if each)


def _of_users(kind: str, item: dict[str, Any]) -> bool:
    metadata = item["metadata"]
    namespace: str = metadata["name"] if kind == "namespace" else metadata.get("namespace", "")
    managers = [str(each.get("manager", "")) for each in metadata.get("managedFields", ())]
    if metadata.get("ownerReferences") or namespace.startswith("lab-"):
        return False
    if any(manager.startswith(BY_HAND) for manager in managers):
        return True
    if not namespace or namespace.startswith(SYSTEM) or FIELD_MANAGER in managers:
        return False
    if kind == "namespace":
        return namespace != API_SERVER[0]
    if metadata["name"] in OF_EVERY_NAMESPACE or (namespace, metadata["name"]) == API_SERVER:
        return False
    return bool(item.get("type") != "kubernetes.io/service-account-token")
