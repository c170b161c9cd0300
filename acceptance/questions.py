"""Which questions are asked from where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from acceptance.expectations import Expectations, ServiceWay
from acceptance.inventory import Inventory, Node
from acceptance.manifests import (
    BACKEND,
    HEADLESS,
    HOST_PORT,
    NAMESPACE,
    SERVICE_HTTP_PORT,
    SERVICE_UDP_PORT,
    probe_name,
)
from acceptance.matrix import Endpoint, EndpointKind, Pair
from acceptance.probes import Probe, Protocol
from acceptance.workload import BackendService

API_PORT = 443


@dataclass(frozen=True)
class Address:
    """Where an endpoint answers; a port of 0 means that nothing listens."""

    ip: IPv4Address
    http_port: int
    udp_port: int

    def port(self, protocol: Protocol) -> int:
        return {Protocol.PING: 0, Protocol.TCP: self.http_port, Protocol.UDP: self.udp_port}[protocol]


@dataclass(frozen=True)
class ServiceQuestion:
    """A question about Services: who asks, what, and the answer that is right."""

    sender: Endpoint
    way: ServiceWay
    probe: Probe
    about: str
    """What is asked, for people: "ClusterIP 10.96.1.2 tcp"."""
    by_backend: bool
    """The pod behind the Service must answer with its name; else any answer is right."""
    port_of: str | None = None
    """The node whose port is asked, where a NodePort is."""
    of_pod: str = ""
    """The pod that must answer with its name, where no Service leads to it."""


def matrix_probe(pair: Pair, protocol: Protocol, address: Address) -> Probe | None:
    """The probe for one protocol of a cell; None when the target does not serve the protocol."""
    if protocol not in pair.target.protocols:
        return None
    if protocol is not Protocol.PING and not address.port(protocol):
        return None
    return Probe(f"{pair.target}:{protocol}", protocol, str(address.ip), address.port(protocol))


def service_questions(
    inventory: Inventory, expectations: Expectations, service: BackendService
) -> tuple[ServiceQuestion, ...]:
    """Every question about Services, from a pod of every group on every node, from nodes and the LAN host."""
    found: list[ServiceQuestion] = []
    for node in inventory.nodes:
        here = node == inventory.backend_node
        itself = Endpoint(EndpointKind.NODE, node.name)
        for of_group in expectations.groups:
            pod = Endpoint(EndpointKind.POD, node.name, group=of_group.group)
            found += _pod_questions(pod, here, inventory, service)
        node_way = ServiceWay.NODE_TO_CLUSTERIP_HERE if here else ServiceWay.NODE_TO_CLUSTERIP_ELSEWHERE
        found += cluster_ip_questions(itself, node_way, service)
        found.append(_api_question(itself, ServiceWay.NODE_TO_API, inventory))
        if inventory.lan_host is not None:
            found += _node_port_questions(node, here, service)
    if inventory.lan_host is not None:
        found.append(_host_port_question(inventory.backend_node, expectations.group))
    return tuple(found)


def _pod_questions(
    pod: Endpoint, here: bool, inventory: Inventory, service: BackendService
) -> Sequence[ServiceQuestion]:
    way = ServiceWay.POD_TO_CLUSTERIP_HERE if here else ServiceWay.POD_TO_CLUSTERIP_ELSEWHERE
    found = [
        *cluster_ip_questions(pod, way, service),
        _api_question(pod, ServiceWay.POD_TO_API, inventory),
    ]
    for name in dns_names(inventory):
        probe = Probe(f"dns:{name}", Protocol.TCP, name, SERVICE_HTTP_PORT, "hostname")
        found.append(ServiceQuestion(pod, ServiceWay.DNS, probe, f"name {name}", by_backend=True))
    return found


def dns_names(inventory: Inventory) -> tuple[str, ...]:
    """The Service's names, from the short one to the full one. Pods of its namespace can use all of them."""
    return BACKEND, f"{BACKEND}.{NAMESPACE}.svc.{inventory.kubernetes.dns_domain}"


def headless_name(inventory: Inventory) -> str:
    """With the closing dot: no search path is tried."""
    return f"{HEADLESS}.{NAMESPACE}.svc.{inventory.kubernetes.dns_domain}."


def cluster_ip_questions(
    sender: Endpoint, way: ServiceWay, service: BackendService
) -> tuple[ServiceQuestion, ...]:
    ports = {Protocol.TCP: SERVICE_HTTP_PORT, Protocol.UDP: SERVICE_UDP_PORT}
    return tuple(
        ServiceQuestion(
            sender,
            way,
            Probe(f"clusterip:{protocol}", protocol, str(service.cluster_ip), port, "hostname"),
            f"ClusterIP {service.cluster_ip} {protocol}",
            by_backend=True,
        )
        for protocol, port in ports.items()
    )


def _api_question(sender: Endpoint, way: ServiceWay, inventory: Inventory) -> ServiceQuestion:
    address = inventory.kubernetes.api_service_address
    probe = Probe("api", Protocol.TCP, str(address), url=f"https://{address}:{API_PORT}/version")
    return ServiceQuestion(sender, way, probe, f"the API's ClusterIP {address}", by_backend=False)


def _node_port_questions(node: Node, here: bool, service: BackendService) -> Sequence[ServiceQuestion]:
    way = ServiceWay.LAN_HOST_TO_NODEPORT_HERE if here else ServiceWay.LAN_HOST_TO_NODEPORT_ELSEWHERE
    ports: Mapping[Protocol, int] = {
        Protocol.TCP: service.http_node_port,
        Protocol.UDP: service.udp_node_port,
    }
    return tuple(
        ServiceQuestion(
            Endpoint(EndpointKind.LAN_HOST),
            way,
            Probe(f"nodeport:{node.name}:{protocol}", protocol, str(node.internal_address), port, "hostname"),
            f"NodePort {node.internal_address}:{port} {protocol}",
            by_backend=True,
            port_of=node.name,
        )
        for protocol, port in ports.items()
    )


def _host_port_question(node: Node, group: str) -> ServiceQuestion:
    return ServiceQuestion(
        Endpoint(EndpointKind.LAN_HOST),
        ServiceWay.LAN_HOST_TO_HOSTPORT,
        Probe(f"hostport:{node.name}", Protocol.TCP, str(node.internal_address), HOST_PORT, "hostname"),
        f"hostPort {node.internal_address}:{HOST_PORT}",
        by_backend=False,
        port_of=node.name,
        of_pod=probe_name(node.name, group),
    )


_ANY_SERVICE = BackendService(BACKEND, IPv4Address("0.0.0.0"), 0, 0)


def question_keys(inventory: Inventory, expectations: Expectations) -> tuple[tuple[Endpoint, str], ...]:
    """Sender and probe key of every question about Services, known before the Service is."""
    questions = service_questions(inventory, expectations, _ANY_SERVICE)
    return tuple((question.sender, question.probe.key) for question in questions)


def replacement_senders(inventory: Inventory, expectations: Expectations) -> tuple[Endpoint, ...]:
    """Who asks the Service again after its pod was replaced."""
    keys = question_keys(inventory, expectations)
    return tuple(dict.fromkeys(sender for sender, key in keys if key.startswith("clusterip:")))
