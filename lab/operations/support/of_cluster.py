"""What the API server says of the cluster."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from lab.cluster.api import ApiError
from lab.foundation.redaction import REDACTED
from lab.operations.support.gathering import Part, Source

LIMIT = 15.0
"""Seconds for one answer."""
LOG_LINES = 500
SYSTEM = "kube-system"
LISTS = {
    "nodes": "/api/v1/nodes",
    "pods": "/api/v1/pods",
    "events": "/api/v1/events",
    "services": "/api/v1/services",
    "endpointslices": "/apis/discovery.k8s.io/v1/endpointslices",
    "daemonsets": "/apis/apps/v1/daemonsets",
    "deployments": "/apis/apps/v1/deployments",
    "networkpolicies": "/apis/networking.k8s.io/v1/networkpolicies",
}
"""Neither Secrets nor ConfigMaps: users keep passwords in both."""
SECRET_KEYS = {
    "kubernetes.io/service-account-token": "token",
    "bootstrap.kubernetes.io/token": "token-secret",
}
"""Of these types of Secret one value is secret; another may be a plain word, such as kube-system."""
LEFT_OUT = ("managedFields", "kubectl.kubernetes.io/last-applied-configuration")
"""The second repeats an object with all its values."""


class Api(Protocol):
    """Where the cluster is read from."""

    def text(self, path: str, *, query: list[tuple[str, str]] | None = None, seconds: float) -> str: ...


def cluster_source(api: Callable[[], Api], status: Callable[[], Mapping[str, Any]]) -> Source:
    """Nodes, pods, events and what belongs to them, logs of containers that were restarted, and `lab status`.

    `api` raises LabError where there is nothing to ask.
    """
    return Source(
        (
            *(_list(api, name, path) for name, path in LISTS.items()),
            Part("cluster/logs/", lambda: dict(_logs(api()))),
            Part.text("cluster/status.json", lambda: json.dumps(status(), indent=1)),
        ),
        why_silent=lambda: _why_silent(api()),
    )


def secret_values(api: Api) -> Iterator[str]:
    """The values of the cluster's own Secrets, to be left out of what others say. Raises ApiError."""
    for secret in _items(api, "/api/v1/secrets"):
        secret_key = SECRET_KEYS.get(secret.get("type", ""))
        for key, value in (secret.get("data") or {}).items():
            if secret_key in (None, key):
                yield value
                yield base64.b64decode(value).decode(errors="replace")


def _list(api: Callable[[], Api], name: str, path: str) -> Part:
    return Part.text(f"cluster/{name}.json", lambda: json.dumps(plain(_items(api(), path)), indent=1))


def _items(api: Api, path: str) -> list[Any]:
    found: list[Any] = json.loads(api.text(path, seconds=LIMIT))["items"]
    return found


def plain(value: Any) -> Any:
    """JSON without what repeats the rest, and without the values of environment variables."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: [_variable(each) for each in inner] if key == "env" and isinstance(inner, list) else plain(inner)
        for key, inner in value.items()
        if key not in LEFT_OUT
    }


def _variable(variable: dict[str, Any]) -> dict[str, Any]:
    return {**variable, "value": REDACTED} if "value" in variable else variable


def _logs(api: Api) -> Iterator[tuple[str, str]]:
    """Of each container that was restarted, its present log and that of the one before."""
    for pod in _items(api, f"/api/v1/namespaces/{SYSTEM}/pods"):
        name = pod["metadata"]["name"]
        for container in pod["status"].get("containerStatuses", []):
            if container["restartCount"]:
                for suffix, previous in (("", "false"), (".previous", "true")):
                    path = f"cluster/logs/{name}.{container['name']}{suffix}.log"
                    yield path, _log(api, name, container["name"], previous)


def _log(api: Api, pod: str, container: str, previous: str) -> str:
    query = [("container", container), ("previous", previous), ("tailLines", str(LOG_LINES))]
    try:
        return api.text(f"/api/v1/namespaces/{SYSTEM}/pods/{pod}/log", query=query, seconds=LIMIT)
    except ApiError as error:
        return f"{error.brief}: {error.details}\n"


def _why_silent(api: Api) -> str | None:
    """An API server that says it is not ready may list its objects all the same."""
    try:
        api.text("/readyz", seconds=LIMIT)
    except ApiError as error:
        return f"{error.brief}: {error.details}" if error.status is None else None
    return None
