"""What modes share whose pods are hosts of the underlay network: addresses, and the host shim.

A macvlan or ipvlan interface and the NIC below it cannot reach each other, so by itself a node reaches none
of its own pods, and they reach neither their node nor, through it, any service. The host shim heals that:
one more interface of the same kind beside the pods', belonging to the node.

- The node reaches its own pods by routes through the shim, with its own address as the source.
- Pods have a route for services through their own node's address, which the shim answers for.
- A pod's `hostPort` is reached through the shim too; without it the node cannot hand on what comes there.
- kube-proxy masquerades what pods send to services, as they are outside its cluster CIDR. Without that the
  chosen pod would answer the asking one directly on the LAN, and the answer's source would be wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, summarize_address_range

from lab.cluster.readiness import COREDNS, KUBE_PROXY
from lab.modes.boot import BootProgram
from lab.modes.cni import HOST_PORTS_OF_NODES, conflist
from lab.modes.mode import CNI_FOLDER, Mode, ModeOption, ModeSetup, NodeSetup
from lab.modes.plain import with_program
from lab.nodes.files import NodeFile
from lab.topology.models import AddressRange
from lab.topology.plan import NetworkPlan, NodePlan, Plan

Json = dict[str, object]

SHIM = "lab-shim"

HOST_SHIM = ModeOption(
    "host_shim",
    True,
    "an interface of the node itself, so that it reaches its own pods and they reach services",
)


@dataclass(frozen=True)
class Shim:
    """The kind of a node's interface beside its pods'."""

    link: str
    """Type and mode, as `ip link add` takes them."""
    settings: tuple[str, ...]
    """Its settings under net.ipv4.conf."""
    own_address: bool = False
    """It needs an address that the NIC has not: the last one of the node's share, which no pod gets."""


def arrange(mode: Mode, plan: Plan, plugin: Json, shim: Shim) -> ModeSetup:
    """The CNI plugin on every node's underlay NIC, with the shim unless the option says no."""
    with_shim = bool(mode.option(plan, HOST_SHIM.name))
    return ModeSetup(
        nodes={
            node.name: _node_setup(plan, node, mode.name, plugin, shim if with_shim else None)
            for node in plan.nodes
        },
        # Without the shim kubelet cannot reach the DNS pods to find them ready, nor they the API.
        workloads=(KUBE_PROXY, COREDNS) if with_shim else (KUBE_PROXY,),
    )


def _node_setup(plan: Plan, node: NodePlan, name: str, plugin: Json, shim: Shim | None) -> NodeSetup:
    underlay = underlay_of(plan)
    nic, pods = node.nic_on(underlay.name), share(node)
    routes = [("0.0.0.0/0", underlay.host_address.ip)]
    if shim is not None:
        routes.append((str(plan.kubernetes.service_cidr), nic.ipv4.ip))
        if shim.own_address:
            pods = AddressRange(first=pods.first, last=pods.last - 1)
    whole = {
        **plugin,
        "master": nic.device,
        "mtu": underlay.mtu,
        "ipam": host_local(underlay, pods, routes),
    }
    path = f"{CNI_FOLDER}/10-{name}.conflist"
    if shim is None:
        return NodeSetup(NodeFile(path, conflist(name, whole)))
    cni = NodeFile(path, conflist(name, whole, HOST_PORTS_OF_NODES))
    return with_program(cni, shim_program(node, underlay, shim))


def host_local(underlay: NetworkPlan, pods: AddressRange, routes: list[tuple[str, IPv4Address]]) -> Json:
    """host-local knows only its own node, so it hands out a range that is this node's alone."""
    addresses = {
        "subnet": str(underlay.cidr),
        "rangeStart": str(pods.first),
        "rangeEnd": str(pods.last),
        "gateway": str(underlay.host_address.ip),
    }
    return {
        "type": "host-local",
        "ranges": [[addresses]],
        "routes": [{"dst": destination, "gw": str(gateway)} for destination, gateway in routes],
    }


def shim_program(node: NodePlan, underlay: NetworkPlan, shim: Shim) -> BootProgram:
    """Makes the node's own interface and its routes."""
    nic = node.nic_on(underlay.name)
    pods = share(node)
    address = pods.last if shim.own_address else nic.ipv4.ip
    settings = " ".join(f"net.ipv4.conf.{SHIM}.{setting}" for setting in shim.settings)
    routes = "\n".join(
        f"ip route replace {block} dev {SHIM} scope link src {nic.ipv4.ip}"
        for block in summarize_address_range(pods.first, pods.last)
    )
    return BootProgram(
        SHIM,
        f"The node's own {shim.link.split()[0]} interface beside its pods'",
        f"""\
#!/bin/bash
# The node's own interface beside its pods' on {nic.device}: without it they do not see each other.
set -euo pipefail
ip link set {nic.device} up
if ! [ -e /sys/class/net/{SHIM} ]; then
  ip link add link {nic.device} name {SHIM} mtu {underlay.mtu} type {shim.link}
fi
sysctl --quiet --write {settings}
ip address replace {address}/32 dev {SHIM}
ip link set {SHIM} up
{routes}
""",
    )


def underlay_of(plan: Plan) -> NetworkPlan:
    assert plan.underlay is not None, "Mode.check comes first"
    return plan.underlay


def share(node: NodePlan) -> AddressRange:
    """The node's part of the underlay's pod range."""
    assert node.underlay_pods is not None, "Mode.check comes first"
    return node.underlay_pods
