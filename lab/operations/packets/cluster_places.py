"""Where in a lab an object of its cluster listens at present: asked of the API server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address
from typing import Any

from lab.doors.places import Place
from lab.foundation.errors import LabError, WrongUseError
from lab.operations.context import Lab
from lab.operations.named import read_if_there

HTTPS_PORTS = (443, 8443)
ONLY_TCP = "only TCP can be forwarded"


def place_at(lab: Lab, address: str, port: int, node: str = "") -> Place:
    """How to reach an address, which is on `node` if that is known.

    Raises WrongUseError when it is not the lab's.
    """
    found = IPv4Address(address)
    kubernetes = lab.plan.kubernetes
    direct = any(found in network.cidr for network in lab.plan.networks)
    if not direct and not node and found not in kubernetes.pod_cidr and found not in kubernetes.service_cidr:
        networks = (str(network.cidr) for network in lab.plan.networks)
        raise WrongUseError(
            f"{address} is no address of the lab",
            details=f"its networks: {', '.join(networks)}; pods {kubernetes.pod_cidr}, "
            f"services {kubernetes.service_cidr}",
            resolution="`lab inventory` lists those of nodes and networks",
        )
    if found in kubernetes.service_cidr:
        direct = False
    names = [each.name for each in (*lab.plan.workers, *lab.plan.control_planes)]
    return Place(address, port, direct, tuple(sorted(names, key=lambda name: name != node)))


def place_of_service(lab: Lab, full: str, port: str) -> Place:
    """Its ClusterIP, for kube-proxy finds the pods; of a headless one, a pod that is ready.

    Raises WrongUseError when there is no such Service, or no such port of it, and LabError for no pod.
    """
    namespace, _, name = full.partition("/")
    found = _service(lab, full)
    chosen = _port_of(found, full, port)
    address = found["spec"].get("clusterIP")
    if address not in (None, "", "None"):
        return place_at(lab, address, int(chosen["port"]))
    endpoints = read_if_there(lab.api, f"/api/v1/namespaces/{namespace}/endpoints/{name}") or {}
    for subset in endpoints.get("subsets", []):
        for each in subset.get("ports", []):
            if each.get("name", "") == chosen.get("name", "") and subset.get("addresses"):
                end = subset["addresses"][0]
                return place_at(lab, end["ip"], int(each["port"]), end.get("nodeName", ""))
    raise LabError(
        f"the Service {full} has no ClusterIP, and no pod of it is ready",
        resolution=f"lab kubectl get pods -n {namespace}",
    )


def scheme_of_service(lab: Lab, full: str, port: str) -> str:
    """https where the port of the Service says so by its number, name or protocol, else http.

    Raises WrongUseError like `place_of_service`.
    """
    chosen = _port_of(_service(lab, full), full, port)
    said = (str(chosen.get("appProtocol", "")), str(chosen.get("name", "")))
    return "https" if chosen["port"] in HTTPS_PORTS or any("https" in each for each in said) else "http"


def _service(lab: Lab, full: str) -> Mapping[str, Any]:
    namespace, _, name = full.partition("/")
    found = read_if_there(lab.api, f"/api/v1/namespaces/{namespace}/services/{name}")
    if found is None:
        raise _absent(f"Service {full}", f"lab kubectl get services -n {namespace}")
    return found


def _port_of(service: Mapping[str, Any], full: str, port: str) -> Mapping[str, Any]:
    ports = [each for each in service["spec"].get("ports", []) if each.get("protocol", "TCP") == "TCP"]
    return _chosen(f"the Service {full}", ports, "port", port)


def _chosen(whose: str, ports: Sequence[Mapping[str, Any]], key: str, wanted: str) -> Mapping[str, Any]:
    """The port that is wanted by number or name, else the first."""
    fit = [each for each in ports if not wanted or wanted in (str(each[key]), each.get("name"))]
    if fit:
        return fit[0]
    names = ", ".join(f"{each[key]} {each.get('name', '')}".strip() for each in ports)
    raise WrongUseError(
        f"{whose} has no port {wanted} of TCP" if wanted else f"{whose} has no port of TCP",
        details=f"it has {names}" if names else None,
        resolution=f"use one of: {names}" if names else ONLY_TCP,
    )


def place_of_workload(lab: Lab, plural: str, full: str, port: str) -> Place:
    """Of a pod of it that is ready; `plural` is the API's name of its kind. Raises LabError for none."""
    namespace, _, name = full.partition("/")
    found = read_if_there(lab.api, f"/apis/apps/v1/namespaces/{namespace}/{plural}/{name}")
    if found is None:
        raise _absent(f"{full} among the {plural}", f"lab kubectl get {plural} -n {namespace}")
    pods = read_if_there(
        lab.api, f"/api/v1/namespaces/{namespace}/pods", labelSelector=_selector(found["spec"]["selector"])
    )
    for pod in (pods or {}).get("items", []):
        if _is_ready(pod):
            return _of_pod(lab, pod, port)
    raise LabError(
        f"no pod of {full}, of the {plural}, is ready", resolution=f"lab kubectl get pods -n {namespace}"
    )


def _selector(selector: Mapping[str, Any]) -> str:
    """As a query has it: apimachinery, pkg/labels, Parse."""
    signs = {"In": "in", "NotIn": "notin"}
    labels = [f"{key}={value}" for key, value in selector.get("matchLabels", {}).items()]
    for each in selector.get("matchExpressions", []):
        key, operator = each["key"], each["operator"]
        if operator in signs:
            labels.append(f"{key} {signs[operator]} ({','.join(each['values'])})")
        else:
            labels.append(key if operator == "Exists" else f"!{key}")
    return ",".join(labels)


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions: Iterable[Mapping[str, Any]] = pod.get("status", {}).get("conditions", [])
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def place_of_pod(lab: Lab, full: str, port: str) -> Place:
    """Raises WrongUseError when there is no such pod, and LabError while it has no address."""
    namespace, _, name = full.partition("/")
    found = read_if_there(lab.api, f"/api/v1/namespaces/{namespace}/pods/{name}")
    if found is None:
        raise _absent(f"pod {full}", f"lab kubectl get pods -n {namespace}")
    return _of_pod(lab, found, port)


def _of_pod(lab: Lab, pod: Mapping[str, Any], port: str) -> Place:
    full = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
    address = pod.get("status", {}).get("podIP")
    if not address:
        raise LabError(f"the pod {full} has no address yet", resolution="lab kubectl get pods -A")
    ports = [
        {"port": each["containerPort"], "name": each.get("name")}
        for container in pod["spec"]["containers"]
        for each in container.get("ports", [])
        if each.get("protocol", "TCP") == "TCP"
    ]
    if port.isdecimal():
        number = int(port)
    elif not port and not ports:
        raise WrongUseError(f"the pod {full} names no port of its own", resolution=f"name one: {full}:PORT")
    else:
        number = int(_chosen(f"the pod {full}", ports, "port", port)["port"])
    return place_at(lab, address, number, pod["spec"].get("nodeName", ""))


def _absent(what: str, resolution: str) -> WrongUseError:
    return WrongUseError(f"there is no {what} in the lab", resolution=resolution)
