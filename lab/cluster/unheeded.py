"""What users have asked a cluster for, and what has no effect in its network mode: nothing else says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lab.cluster.api import ClusterApi

POLICIES = "/apis/networking.k8s.io/v1/networkpolicies"
PODS = "/api/v1/pods"


def unheeded(api: ClusterApi, mode: str, *, host_ports: bool, policies: bool) -> tuple[str, ...]:
    """One line for each object that has no effect, in a mode that has host ports and policies, or not.

    Raises ApiError when the API server does not answer.
    """
    found: list[str] = []
    if not policies:
        found += [
            f"the network policy {_name(item)} has no effect: the mode {mode} enforces none,"
            " calico-* does, and so does `lab up --policy kube-network-policies`"
            for item in api.read(POLICIES)["items"]
        ]
    if not host_ports:
        found += [
            f"the hostPort {port} of pod {_name(item)} leads nowhere in the mode {mode}"
            for item in api.read(PODS)["items"]
            for port in _host_ports(item)
        ]
    return tuple(found)


def _name(item: dict[str, Any]) -> str:
    return f"{item['metadata']['namespace']}/{item['metadata']['name']}"


def _host_ports(pod: dict[str, Any]) -> Iterator[int]:
    """Of a pod in the node's network the API server sets it to the port that the node has anyway."""
    if pod["spec"].get("hostNetwork"):
        return
    for container in pod["spec"]["containers"]:
        yield from (port["hostPort"] for port in container.get("ports", ()) if port.get("hostPort"))
