"""From a checked topology to its address plan: pure, and the same at every call."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Interface
from itertools import chain, count

from lab.topology.models import AddressRange, Network, NodeRole, Topology
from lab.topology.plan import ApiEndpoint, KubernetesPlan, NetworkPlan, NicPlan, NodePlan, Plan
from lab.topology.values import memory_mib

DEVICE_NAME_LENGTH = 15
"""Longest name of a Linux network device (IFNAMSIZ less the closing zero)."""

MAC_PREFIX = "52:54:00"
"""The prefix that qemu and libvirt give to guests."""

DNS_SERVICE_INDEX = 10
"""kubeadm gives the cluster's DNS the tenth address of the service CIDR (GetDNSIP)."""

API_SERVICE_INDEX = 1
"""The API server takes the first address of the service CIDR for its own service."""

API_PORT = 6443
"""Where an API server listens: kubeadm's default (KubernetesAPIBindPort)."""

BALANCED_PORT = 8443
"""Where HAProxy listens, on the machines of the API servers: as in kubeadm's docs/ha-considerations.md."""


def make_plan(topology: Topology) -> Plan:
    """The address plan of a topology that `load_topology` has accepted."""
    node_network = topology.kubernetes.node_network
    macs = _macs(topology)
    shares = _pod_shares(topology)
    nodes = tuple(
        NodePlan(
            name=name,
            role=node.role,
            cpus=node.cpus,
            memory_mib=memory_mib(node.memory),
            nics=tuple(
                NicPlan(
                    network=network_name,
                    device=f"eth{index}",
                    mac=macs[name, network_name],
                    addresses=(_interface(node.addresses[network_name], network),),
                )
                for index, (network_name, network) in enumerate(_attached(topology, name))
            ),
            internal_address=node.addresses[node_network],
            labels=dict(node.labels),
            taints=node.taints,
            underlay_pods=shares.get(name),
        )
        for name, node in topology.nodes.items()
    )
    return Plan(
        topology=topology.name,
        kubernetes=_kubernetes(topology),
        mode=topology.mode,
        mode_options=dict(topology.mode_options),
        networks=_networks(topology),
        nodes=nodes,
        node_network=node_network,
    )


def _attached(topology: Topology, node: str) -> list[tuple[str, Network]]:
    addresses = topology.nodes[node].addresses
    return [(name, network) for name, network in topology.networks.items() if name in addresses]


def _interface(address: IPv4Address, network: Network) -> IPv4Interface:
    return IPv4Interface((address, network.cidr.prefixlen))


def _kubernetes(topology: Topology) -> KubernetesPlan:
    wanted = topology.kubernetes
    return KubernetesPlan(
        version=wanted.version,
        runtime=wanted.runtime,
        tuning=wanted.tuning,
        kube_proxy=wanted.kube_proxy,
        policy=wanted.policy,
        pod_cidr=wanted.pod_cidr,
        service_cidr=wanted.service_cidr,
        dns_domain=wanted.dns_domain,
        dns_address=wanted.service_cidr[DNS_SERVICE_INDEX],
        api_service_address=wanted.service_cidr[API_SERVICE_INDEX],
        api=_api_endpoint(topology),
        installer=wanted.installer,
    )


def _api_endpoint(topology: Topology) -> ApiEndpoint:
    """The address of the load balancer, or those of the control planes where they are reached directly."""
    wanted = topology.kubernetes
    control_planes = [node for node in topology.nodes.values() if node.role is NodeRole.CONTROL_PLANE]
    own = tuple(node.addresses[wanted.node_network] for node in control_planes)
    common = wanted.api_address
    service = "kubernetes.default.svc"
    return ApiEndpoint(
        addresses=own if common is None else (common,),
        port=API_PORT if common is None else BALANCED_PORT,
        names=("kubernetes", "kubernetes.default", service, f"{service}.{wanted.dns_domain}"),
    )


def _networks(topology: Topology) -> tuple[NetworkPlan, ...]:
    bridges = _bridges(topology.networks)
    return tuple(
        NetworkPlan(
            name=name,
            role=network.role,
            bridge=bridges[name],
            host_address=_interface(network.gateway_address, network),
            mtu=network.mtu,
            lan_host=_interface(network.lan_host, network) if network.lan_host else None,
            pod_range=network.pod_range,
        )
        for name, network in topology.networks.items()
    )


def _bridges(networks: Iterable[str]) -> dict[str, str]:
    """`br-NAME`, with the end of a long name replaced by four digits that tell it from others."""
    taken: dict[str, str] = {}
    for name in networks:
        whole = [f"br-{name}"] if len(name) <= DEVICE_NAME_LENGTH - 3 else []
        short = (f"br-{name[:7]}-{_digits(name, salt)[:4]}" for salt in count())
        taken[name] = _first_free(chain(whole, short), taken.values())
    return taken


def _macs(topology: Topology) -> dict[tuple[str, str], str]:
    taken: dict[tuple[str, str], str] = {}
    for node in topology.nodes:
        for network, _ in _attached(topology, node):
            digits = (_digits(f"{topology.name}/{node}/{network}", salt) for salt in count())
            candidates = (":".join((MAC_PREFIX, d[0:2], d[2:4], d[4:6])) for d in digits)
            taken[node, network] = _first_free(candidates, taken.values())
    return taken


def _digits(text: str, salt: int) -> str:
    return sha256(f"{text}#{salt}".encode()).hexdigest()


def _first_free(candidates: Iterable[str], taken: Collection[str]) -> str:
    return next(candidate for candidate in candidates if candidate not in taken)


def _pod_shares(topology: Topology) -> dict[str, AddressRange]:
    """The underlay's pod range cut into equal, adjoining shares, one per node in the file's order."""
    ranges = [network.pod_range for network in topology.networks.values() if network.pod_range]
    if not ranges:
        return {}
    whole = ranges[0]
    size = whole.size // len(topology.nodes)
    return {
        name: AddressRange(first=whole.first + index * size, last=whole.first + (index + 1) * size - 1)
        for index, name in enumerate(topology.nodes)
    }
