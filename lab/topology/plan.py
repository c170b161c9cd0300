"""The address plan: everything that is rendered, computed once from the topology alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from lab.topology.mode_choice import ModeChoice, OptionValue
from lab.topology.models import (
    AddressRange,
    Installer,
    IpAddress,
    IpInterface,
    KubeProxy,
    LoadBalancer,
    NetworkRole,
    NodeRole,
    PolicyEnforcer,
    Runtime,
    Taint,
    Tuning,
)

LOOPBACK = IPv4Address("127.0.0.1")


@dataclass(frozen=True)
class NetworkPlan:
    """A libvirt network; its bridge lives in the lab's network namespace."""

    name: str
    role: NetworkRole
    bridge: str
    """Device name of the bridge, at most 15 characters."""
    host_address: IPv4Interface
    """Address of the bridge: the lab's side of this network, and its gateway."""
    mtu: int
    lan_host: IPv4Interface | None
    pod_range: AddressRange | None

    @property
    def cidr(self) -> IPv4Network:
        return self.host_address.network


@dataclass(frozen=True)
class NicPlan:
    network: str
    device: str
    """eth0, eth1, ... in the order of the networks."""
    mac: str
    """Locally administered, the same at every build: 52:54:00:xx:xx:xx."""
    addresses: tuple[IpInterface, ...]

    @property
    def primary(self) -> IpInterface:
        """The address by which the node is known on this network."""
        return self.addresses[0]

    @property
    def ipv4(self) -> IPv4Interface:
        """The address for what knows only IPv4. Raises LookupError when there is none."""
        for address in self.addresses:
            if isinstance(address, IPv4Interface):
                return address
        raise LookupError(f"{self.device} on {self.network} has no IPv4 address")


@dataclass(frozen=True)
class NodePlan:
    name: str
    role: NodeRole
    cpus: int
    memory_mib: int
    nics: tuple[NicPlan, ...]
    internal_address: IpAddress
    """What kubelet gets as --node-ip."""
    labels: Mapping[str, str]
    taints: tuple[Taint, ...] | None
    underlay_pods: AddressRange | None
    """This node's own share of the underlay's pod range, for per-node IPAM."""
    pod_block: IPv4Network | None = None
    """This node's block of the pod CIDR. Kubernetes gives it, so None until the node has joined."""

    def nic_on(self, network: str) -> NicPlan:
        """The node's NIC on that network. Raises KeyError when it has none."""
        for nic in self.nics:
            if nic.network == network:
                return nic
        raise KeyError(network)


@dataclass(frozen=True)
class ApiEndpoint:
    """Where everybody reaches the API, whichever control plane answers: not the address of a node."""

    addresses: tuple[IpAddress, ...]
    """The first is the one that kubeconfigs and daemons are told; the certificate bears all."""
    port: int
    names: tuple[str, ...]
    """DNS names in the API server's certificate, beside those of the nodes it runs on."""

    @property
    def address(self) -> IpAddress:
        return self.addresses[0]

    @property
    def authority(self) -> str:
        """`ADDRESS:PORT`, as in a URL: an IPv6 address in brackets (RFC 3986, 3.2.2)."""
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"https://{self.authority}"


@dataclass(frozen=True)
class KubernetesPlan:
    version: str
    runtime: Runtime
    tuning: Tuning
    kube_proxy: KubeProxy
    policy: PolicyEnforcer
    pod_cidr: IPv4Network
    service_cidr: IPv4Network
    dns_domain: str
    dns_address: IPv4Address
    """The tenth address of the service CIDR, as kubeadm sets it."""
    api_service_address: IPv4Address
    """The first address of the service CIDR."""
    api: ApiEndpoint
    installer: Installer = Installer.KUBEADM


@dataclass(frozen=True)
class Plan:
    topology: str
    kubernetes: KubernetesPlan
    mode: str
    mode_options: Mapping[str, OptionValue]
    networks: tuple[NetworkPlan, ...]
    nodes: tuple[NodePlan, ...]
    node_network: str

    @property
    def choice(self) -> ModeChoice:
        """The mode with its options."""
        return ModeChoice(self.mode, self.mode_options)

    def in_mode(self, choice: ModeChoice) -> Plan:
        """The plan in that mode. A choice without options leaves the plan's own mode with those it has."""
        if choice.name == self.mode and not choice.options:
            return self
        return replace(self, mode=choice.name, mode_options=choice.options)

    def of_version(self, version: str) -> Plan:
        """The plan with that version of Kubernetes."""
        return replace(self, kubernetes=replace(self.kubernetes, version=version))

    def with_kube_proxy(self, kube_proxy: KubeProxy) -> Plan:
        """The plan with kube-proxy in that mode."""
        return replace(self, kubernetes=replace(self.kubernetes, kube_proxy=kube_proxy))

    def with_policy(self, policy: PolicyEnforcer) -> Plan:
        """The plan with that program to enforce NetworkPolicies."""
        return replace(self, kubernetes=replace(self.kubernetes, policy=policy))

    def by(self, installer: Installer) -> Plan:
        """The plan with that way of making the cluster."""
        return replace(self, kubernetes=replace(self.kubernetes, installer=installer))

    def without(self, node: NodePlan) -> Plan:
        """The plan of a cluster that knows nothing of that node."""
        return replace(self, nodes=tuple(each for each in self.nodes if each.name != node.name))

    @property
    def from_binaries(self) -> bool:
        """Whether the programs of Kubernetes and etcd are units of systemd on the nodes."""
        return self.kubernetes.installer is Installer.BINARY

    @property
    def control_planes(self) -> tuple[NodePlan, ...]:
        """In the order of the file: one, or an odd number."""
        return tuple(node for node in self.nodes if node.role is NodeRole.CONTROL_PLANE)

    @property
    def first_control_plane(self) -> NodePlan:
        """The node that makes the cluster, which all others join."""
        return self.control_planes[0]

    @property
    def other_control_planes(self) -> tuple[NodePlan, ...]:
        """Those that join the first, one after another; empty where there is only one."""
        return self.control_planes[1:]

    @property
    def load_balancer(self) -> LoadBalancer | None:
        """What leads to a control plane that works; None where there is only one.

        Where nodes have it on their loopback, the endpoint has the control planes' own addresses.
        """
        if not self.other_control_planes:
            return None
        own = {node.internal_address for node in self.control_planes}
        return (
            LoadBalancer.LOCAL_NGINX
            if self.kubernetes.api.address in own
            else LoadBalancer.KEEPALIVED_HAPROXY
        )

    @property
    def api_on_nodes(self) -> ApiEndpoint:
        """The endpoint as programs on nodes are told it; `kubernetes.api` is for those elsewhere."""
        if self.load_balancer is LoadBalancer.LOCAL_NGINX:
            return replace(self.kubernetes.api, addresses=(LOOPBACK,))
        return self.kubernetes.api

    @property
    def workers(self) -> tuple[NodePlan, ...]:
        return tuple(node for node in self.nodes if node.role is NodeRole.WORKER)

    @property
    def uplink(self) -> NetworkPlan:
        return self.networks[0]

    @property
    def underlay(self) -> NetworkPlan | None:
        return next((network for network in self.networks if network.role is NetworkRole.UNDERLAY), None)

    def network(self, name: str) -> NetworkPlan:
        """Raises KeyError for a name that is not in the plan."""
        for network in self.networks:
            if network.name == name:
                return network
        raise KeyError(name)
