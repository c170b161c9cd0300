"""What a topology file says, as frozen models."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from lab.topology import values

IpAddress = IPv4Address | IPv6Address
IpInterface = IPv4Interface | IPv6Interface
"""Either family. A topology's file has IPv4 alone so far; the plan says where that matters."""

DnsLabel = Annotated[str, AfterValidator(values.dns_label)]
Address = Annotated[IPv4Address, BeforeValidator(values.address)]
Cidr = Annotated[IPv4Network, BeforeValidator(values.cidr)]
LabelKey = Annotated[str, AfterValidator(values.label_key)]
LabelValue = Annotated[str, AfterValidator(values.label_value)]
ImageReference = Annotated[str, AfterValidator(values.image)]
DeviceName = Annotated[str, AfterValidator(values.device)]
Option = Annotated[bool | int | str, BeforeValidator(values.option)]


class NetworkRole(StrEnum):
    UPLINK = "uplink"
    UNDERLAY = "underlay"
    MANAGEMENT = "management"
    HOST_ONLY = "host-only"


class NodeRole(StrEnum):
    CONTROL_PLANE = "control-plane"
    WORKER = "worker"


class Runtime(StrEnum):
    AUTO = "auto"
    CONTAINERD = "containerd"
    CRI_DOCKERD = "cri-dockerd"


class Tuning(StrEnum):
    """How far a cluster's settings are from kubeadm's own."""

    AUTO = "auto"
    """`stock` with KVM, `slow-host` under emulation."""
    STOCK = "stock"
    """kubeadm's own, but for what every lab needs."""
    SLOW_HOST = "slow-host"
    """Less work while nothing happens, and more patience."""


class Installer(StrEnum):
    """How nodes become a cluster."""

    KUBEADM = "kubeadm"
    BINARY = "binary"
    """Each program is a unit of systemd, and nothing but `lab` sets it up: as kubeasz does it."""


class LoadBalancer(StrEnum):
    """What leads to a control plane that works, where a cluster has several."""

    KEEPALIVED_HAPROXY = "keepalived-haproxy"
    """An address that moves between the control planes (VRRP), and HAProxy behind it on each of them."""
    LOCAL_NGINX = "local-nginx"
    """nginx on the loopback of every node, as kubespray and kubeasz have it. No address of its own."""


class KubeProxy(StrEnum):
    """What makes ClusterIPs and NodePorts lead to pods on every node."""

    IPTABLES = "iptables"
    IPVS = "ipvs"
    """Virtual servers in the kernel, and all ClusterIPs on a device of every node, kube-ipvs0."""
    NFTABLES = "nftables"
    NONE = "none"
    """Nothing: kube-proxy is not installed."""


class PolicyEnforcer(StrEnum):
    """Who drops what NetworkPolicies forbid, where the network mode's own programs do not."""

    NONE = "none"
    KUBE_NETWORK_POLICIES = "kube-network-policies"


class Supply(StrEnum):
    """Where the software of a lab comes from."""

    AUTO = "auto"
    """What the cache has, else what can be reached."""
    PACKAGES = "packages"
    """Built on this host from Go modules and Debian packages."""
    MIRROR = "mirror"
    """Downloaded from mirrors of registries and download sites, or from upstream."""
    BUNDLE = "bundle"
    """Imported from a file that another machine exported."""


class Outside(StrEnum):
    """Whether the lab's nodes reach what the host reaches."""

    CLOSED = "closed"
    NAT = "nat"
    """From the uplink, with the host's address, as `lab outside open` does."""


class Allowance(StrEnum):
    """Words with which a topology accepts what is refused by default."""

    SERVICE_CIDR_INSIDE_UNDERLAY = "service-cidr-inside-underlay"


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AddressRange(Frozen):
    """An inclusive range of addresses, written `first-last` in the file."""

    first: Address
    last: Address

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        if isinstance(value, str):
            first, last = values.address_range(value)
            return {"first": first, "last": last}
        if isinstance(value, AddressRange) or (isinstance(value, dict) and value.keys() == {"first", "last"}):
            return value
        raise ValueError("a range of IPv4 addresses such as 172.31.6.1-172.31.6.254")

    @model_validator(mode="after")
    def _in_order(self) -> AddressRange:
        if self.first > self.last:
            raise ValueError(f"the lower address first; did you mean '{self.last}-{self.first}'?")
        return self

    @property
    def size(self) -> int:
        """How many addresses the range holds."""
        return int(self.last) - int(self.first) + 1

    def __contains__(self, address: IPv4Address) -> bool:
        return self.first <= address <= self.last

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


class Network(Frozen):
    role: NetworkRole
    cidr: Annotated[Cidr, Field(examples=["172.31.0.0/21"])]
    gateway: Address | None = None
    """Address of the lab itself on this network; the first host address when left out."""
    pod_range: AddressRange | None = None
    """Underlay only: addresses that pods may get."""
    lan_host: Address | None = None
    """Underlay only: address of the LAN host, the third party of the acceptance suite."""
    mtu: Annotated[int, Field(strict=True, ge=576, le=9000)] = 1500
    host_nic: DeviceName | None = None
    """Underlay only: the device of the host that is a port of the network, as after `lab lan open`. It is no
    part of the plan: it is the same cluster."""

    @property
    def gateway_address(self) -> IPv4Address:
        """The gateway as given, else the first host address."""
        return self.gateway or self.cidr.network_address + 1


class Taint(Frozen):
    key: Annotated[LabelKey, Field(examples=["node-role.kubernetes.io/control-plane"])]
    value: LabelValue = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class Node(Frozen):
    role: NodeRole
    cpus: Annotated[int, Field(strict=True, ge=1, le=64, examples=["2"])]
    memory: Annotated[str, BeforeValidator(values.memory), Field(examples=["2GiB"])]
    """Memory with a unit: 2GiB, 1536MiB."""
    addresses: Annotated[dict[str, Address], Field(examples=["{underlay: 172.31.7.101}"])]
    """Address by network name; networks left out get no NIC."""
    labels: dict[LabelKey, LabelValue] = {}
    taints: tuple[Taint, ...] | None = None
    """Taints in place of kubeadm's own; an empty list means none."""


class Kubernetes(Frozen):
    version: Annotated[str, BeforeValidator(values.kubernetes_version), Field(examples=["v1.24.10"])]
    runtime: Runtime = Runtime.AUTO
    installer: Installer = Installer.KUBEADM
    tuning: Tuning = Tuning.AUTO
    kube_proxy: KubeProxy = KubeProxy.IPTABLES
    policy: PolicyEnforcer = PolicyEnforcer.NONE
    pod_cidr: Cidr = IPv4Network("10.200.0.0/16")
    service_cidr: Cidr = IPv4Network("10.96.0.0/16")
    dns_domain: Annotated[str, AfterValidator(values.dns_domain)] = "cluster.local"
    node_network: str = "underlay"
    """The network whose addresses are the nodes' internal addresses and the API's advertised one."""
    load_balancer: LoadBalancer = LoadBalancer.KEEPALIVED_HAPROXY
    """Of a cluster with several control planes."""
    api_address: Annotated[Address | None, Field(examples=["172.31.7.100"])] = None
    """On the node network: the address by which several control planes are reached, and no node's own."""


class Topology(Frozen):
    name: Annotated[DnsLabel, Field(examples=["my-lab"])]
    description: str = ""
    kubernetes: Annotated[Kubernetes, Field(examples=["{version: v1.24.10}"])]
    mode: Annotated[str, Field(examples=["flannel-vxlan"])]
    mode_options: dict[str, Option] = {}
    supply: Supply = Supply.AUTO
    outside: Outside = Outside.CLOSED
    pull_through: bool = False
    """Whether nodes pull images by way of the host, as after `lab image through open`."""
    networks: Annotated[dict[DnsLabel, Network], Field(min_length=1)]
    """In the order of the nodes' NICs: eth0, eth1, ... The first has the role uplink."""
    nodes: Annotated[dict[DnsLabel, Node], Field(min_length=1)]
    allow: tuple[Allowance, ...] = ()
    images: tuple[ImageReference, ...] = ()
    """Images that nodes get once the cluster is up. They are no part of the plan: it is the same cluster."""

    @property
    def host_nic(self) -> str | None:
        """The device of the host that is a port of the underlay."""
        return next((network.host_nic for network in self.networks.values() if network.host_nic), None)
