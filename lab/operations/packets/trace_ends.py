"""Between whom a trace is: what a user names, with its address and the namespaces where it can be seen."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from lab.foundation.errors import WrongUseError
from lab.host.lan_host import HTTP_PORT, UDP_PORT
from lab.operations.context import Lab
from lab.operations.named import SERVICE, read_if_there, split_port
from lab.operations.packets.capturing import LAN_HOST, pod_spot
from lab.packets.protocols import Protocol
from lab.packets.spots import HOST_SIDE, HostSide, LanHostMachine, NodeMachine, Spot
from lab.packets.trace import End

UPLINK = "uplink"
KUBELET_PORT = 10250
RESOLUTION = "use NAMESPACE/POD, svc/[NAMESPACE/]NAME[:PORT], a node, an address, lan-host or uplink"


@dataclass(frozen=True)
class PlacedEnd:
    """An end, and in which namespaces it may be."""

    end: End
    spots: tuple[Spot, ...]


def node_spot(lab: Lab, node: str) -> Spot:
    return Spot(node, NodeMachine(node, lab.folder.ssh_config))


def host_spot(lab: Lab) -> Spot:
    return Spot(HOST_SIDE, HostSide(lab.site))


def lan_host_spot(lab: Lab) -> Spot | None:
    return Spot(LAN_HOST, LanHostMachine(lab.lan_host)) if lab.lan_host is not None else None


def sender_of(lab: Lab, name: str) -> PlacedEnd:
    """A pod, a node or lan-host. Raises WrongUseError for anything else."""
    found = _machine(lab, name) or _pod(lab, name)
    if found is None or found.end.kind == UPLINK:
        raise _unknown(lab, name)
    return found


def target_of(lab: Lab, text: str, protocol: Protocol | None) -> tuple[PlacedEnd, Protocol]:
    """Whom to ask, and by what: ICMP unless a port is named or it is a Service.

    Raises WrongUseError for what does not exist.
    """
    name, port = split_port(text)
    chosen = protocol or (Protocol.TCP if port or text.startswith(SERVICE) else Protocol.ICMP)
    found = (_service(lab, name, port, chosen) if text.startswith(SERVICE) else None) or _with_port(
        _machine(lab, name) or _address(lab, name) or _pod(lab, name), port, chosen
    )
    if found is None:
        raise _unknown(lab, text)
    if chosen is not Protocol.ICMP and not found.end.port:
        raise WrongUseError(f"{text} has no port that is known", resolution=f"name one: {text}:PORT")
    return found, chosen


def _with_port(found: PlacedEnd | None, port: int, protocol: Protocol) -> PlacedEnd | None:
    if found is None:
        return None
    end = found.end
    if protocol is Protocol.ICMP:
        return PlacedEnd(End(end.kind, end.name, end.address), found.spots)
    usual = {
        ("lan-host", Protocol.TCP): HTTP_PORT,
        ("lan-host", Protocol.UDP): UDP_PORT,
        ("node", Protocol.TCP): KUBELET_PORT,
    }
    chosen = port or end.port or usual.get((end.kind, protocol), 0)
    return PlacedEnd(End(end.kind, end.name, end.address, chosen), found.spots)


def _machine(lab: Lab, name: str) -> PlacedEnd | None:
    for node in lab.plan.nodes:
        if name == node.name:
            address = IPv4Address(str(node.internal_address))
            return PlacedEnd(End("node", name, address), (node_spot(lab, name),))
    if name == UPLINK:
        address = lab.plan.uplink.host_address.ip
        return PlacedEnd(End(UPLINK, name, address), (host_spot(lab),))
    lan_host, spot = lab.lan_host, lan_host_spot(lab)
    if name == LAN_HOST and lan_host is not None and spot is not None:
        return PlacedEnd(End(LAN_HOST, name, lan_host.address), (spot,))
    return None


def _pod(lab: Lab, name: str) -> PlacedEnd | None:
    namespace, _, pod = name.rpartition("/")
    found = read_if_there(lab.api, f"/api/v1/namespaces/{namespace or 'default'}/pods/{pod}")
    return None if found is None else _placed_pod(lab, found)


def _placed_pod(lab: Lab, pod: Mapping[str, Any]) -> PlacedEnd:
    name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
    address = pod.get("status", {}).get("podIP")
    if not address:
        raise WrongUseError(
            f"the pod {name} has no address yet", resolution="wait until it runs: `lab kubectl get pods -A`"
        )
    ports = [
        int(port["containerPort"])
        for container in pod["spec"]["containers"]
        for port in container.get("ports", [])
    ]
    end = End("pod", name, IPv4Address(address), ports[0] if ports else 0)
    return PlacedEnd(end, (pod_spot(lab, name),))


def _service(lab: Lab, name: str, port: int, protocol: Protocol) -> PlacedEnd | None:
    namespace, _, service = name.removeprefix(SERVICE).rpartition("/")
    path = f"/api/v1/namespaces/{namespace or 'default'}"
    found = read_if_there(lab.api, f"{path}/services/{service}")
    if found is None:
        return None
    address = found["spec"].get("clusterIP")
    if address in (None, "None", ""):
        raise WrongUseError(
            f"the Service {service} is headless: it has no ClusterIP", resolution="name one of its pods"
        )
    ports = [each["port"] for each in found["spec"]["ports"] if each["protocol"] == protocol.name]
    chosen = 0 if protocol is Protocol.ICMP else port or (ports[0] if ports else 0)
    endpoints = read_if_there(lab.api, f"{path}/endpoints/{service}") or {}
    spots = [
        spot
        for subset in endpoints.get("subsets", [])
        for each in subset.get("addresses", [])
        if (spot := _backend(lab, each)) is not None
    ]
    end = End("service", name, IPv4Address(address), chosen)
    return PlacedEnd(end, tuple({spot.name: spot for spot in spots}.values()))


def _backend(lab: Lab, endpoint: Mapping[str, Any]) -> Spot | None:
    target = endpoint.get("targetRef", {})
    if target.get("kind") == "Pod":
        return pod_spot(lab, f"{target['namespace']}/{target['name']}")
    found = _address(lab, str(endpoint["ip"]))
    return found.spots[0] if found is not None and found.spots else None


def _address(lab: Lab, text: str) -> PlacedEnd | None:
    """Whose address it is, if it is anybody's of the lab."""
    try:
        address = IPv4Address(text)
    except AddressValueError:
        return None
    return PlacedEnd(End("address", text, address), tuple(_owners(lab, address)))


def _owners(lab: Lab, address: IPv4Address) -> Sequence[Spot]:
    """Where the address is, or where those are who answer for it; empty when it is nobody's of the lab."""
    for node in lab.plan.nodes:
        if any(address == each.ip for nic in node.nics for each in nic.addresses):
            return [node_spot(lab, node.name)]
    if any(address == network.host_address.ip for network in lab.plan.networks):
        return [host_spot(lab)]
    lan_host = _machine(lab, LAN_HOST)
    if lan_host is not None and lan_host.end.address == address:
        return lan_host.spots
    return _owners_in_cluster(lab, address)


def _owners_in_cluster(lab: Lab, address: IPv4Address) -> Sequence[Spot]:
    pods = read_if_there(lab.api, "/api/v1/pods", fieldSelector=f"status.podIP={address}") or {}
    for pod in pods.get("items", []):
        if not pod["spec"].get("hostNetwork"):
            return _placed_pod(lab, pod).spots
    services = read_if_there(lab.api, "/api/v1/services") or {}
    for service in services.get("items", []):
        if service["spec"].get("clusterIP") == str(address):
            of_service = f"{SERVICE}{service['metadata']['namespace']}/{service['metadata']['name']}"
            placed = _service(lab, of_service, 0, Protocol.TCP)
            return placed.spots if placed is not None else ()
    return ()


def _unknown(lab: Lab, name: str) -> WrongUseError:
    known = [*(node.name for node in lab.plan.nodes), LAN_HOST, UPLINK]
    near = difflib.get_close_matches(name, known, n=1)
    return WrongUseError(
        f"there is no {name} in the lab",
        details=f"did you mean {near[0]}?" if near else None,
        resolution=RESOLUTION,
    )
