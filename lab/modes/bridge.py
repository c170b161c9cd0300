"""bridge: the node's underlay NIC is a port of a Linux bridge, and so is every pod of the node.

The node's own address moves from the NIC to the bridge. systemd-networkd does that, now and at every boot.
"""

from __future__ import annotations

from lab.modes.cni import HOST_PORTS_OF_NODES, conflist
from lab.modes.mode import CNI_FOLDER, NIC, Mode, NodeSetup, PacketPath
from lab.modes.plain import on_every_node
from lab.modes.underlay import host_local, share, underlay_of
from lab.nodes.files import NodeFile
from lab.topology.models import KubeProxy
from lab.topology.plan import NetworkPlan, NicPlan, NodePlan, Plan

BRIDGE = "br-eth1"
NETWORKD = "/etc/systemd/network"
MOVED_SECONDS = 60
"""How long the address may take to move; an idle machine without KVM needs two."""


def _node_setup(plan: Plan, node: NodePlan) -> NodeSetup:
    underlay = underlay_of(plan)
    nic = node.nic_on(underlay.name)
    routes = [("0.0.0.0/0", underlay.host_address.ip)]
    if plan.kubernetes.kube_proxy is KubeProxy.IPVS:
        # IPVS takes what comes in for the node, not what only crosses its bridge.
        routes.append((str(plan.kubernetes.service_cidr), nic.ipv4.ip))
    plugin = {
        "type": "bridge",
        "bridge": BRIDGE,
        "hairpinMode": True,
        "mtu": underlay.mtu,
        "ipam": host_local(underlay, share(node), routes),
    }
    return NodeSetup(
        cni=NodeFile(f"{CNI_FOLDER}/10-bridge.conflist", conflist("bridge", plugin, HOST_PORTS_OF_NODES)),
        files=_networkd_files(nic, underlay),
        # The order comes by ssh over the uplink, whose address networkd keeps when it is started anew.
        start="systemctl restart systemd-networkd.service\n",
        ready=_wait_until_moved(nic),
    )


def _networkd_files(nic: NicPlan, underlay: NetworkPlan) -> tuple[NodeFile, ...]:
    """The names sort before 90-NIC.network, which the kernel line makes and which would address the NIC."""
    bridge = f"""\
[NetDev]
Name={BRIDGE}
Kind=bridge
MACAddress={nic.mac}
MTUBytes={underlay.mtu}

[Bridge]
STP=no
ForwardDelaySec=0
"""
    port = f"""\
[Match]
Name={nic.device}

[Network]
Bridge={BRIDGE}
LinkLocalAddressing=no
"""
    address = f"""\
[Match]
Name={BRIDGE}

[Network]
Address={nic.ipv4}
LinkLocalAddressing=no
IPv6AcceptRA=no
"""
    return (
        NodeFile(f"{NETWORKD}/10-{BRIDGE}.netdev", bridge),
        NodeFile(f"{NETWORKD}/10-{BRIDGE}.network", address),
        NodeFile(f"{NETWORKD}/10-{nic.device}.network", port),
    )


def _wait_until_moved(nic: NicPlan) -> str:
    return f"""\
moved() {{
  [[ $(ip -4 -o address show dev {BRIDGE} 2>/dev/null) == *' {nic.ipv4} '* ]] &&
    [[ -z $(ip -4 -o address show dev {nic.device}) ]]
}}
for _ in $(seq {MOVED_SECONDS * 2}); do moved && break; sleep 0.5; done
moved || {{
  echo "{nic.ipv4} has not moved from {nic.device} to {BRIDGE} after {MOVED_SECONDS} s" >&2
  exit 1
}}
"""


BRIDGE_MODE = Mode(
    name="bridge",
    summary="pods and the node's NIC are ports of one bridge: pods are hosts of the underlay network",
    arrange=on_every_node(_node_setup),
    needs_underlay=True,
    paths=(PacketPath(("eth0", "veth", BRIDGE, NIC), "plain, pod MACs"),),
)
