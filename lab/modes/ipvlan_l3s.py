"""ipvlan in mode l3s: pods on the node's NIC, routed by the node and seen by its netfilter.

What a pod sends is routed in the node's network namespace, but only to ways that leave by the NIC below
(ipvlan_process_v4_outbound asks for a route with that device), and passes the node's chains OUTPUT and
POSTROUTING; what comes for it passes PREROUTING and INPUT. So services work. Pods of one node reach each
other directly, past all that. No pod answers an ARP request: whoever wants to reach it needs a route.

The node itself has no way to its own pods, so it gets an interface of the same kind beside theirs.
"""

from __future__ import annotations

from lab.modes.blocks import block_of, host_local, masquerade, routes_to_other_blocks, rule
from lab.modes.boot import BootProgram
from lab.modes.cni import HOST_PORTS_OF_NODES, conflist
from lab.modes.mode import CNI_FOLDER, NIC, Mode, NicSetting, NodeSetup, PacketPath
from lab.modes.plain import on_every_node, with_program
from lab.modes.underlay import SHIM
from lab.nodes.files import NodeFile
from lab.topology.plan import NodePlan, Plan

DEFAULT_METRIC = 4096
"""The node's own default route, by the uplink, goes before the pods'."""


def _node_setup(plan: Plan, node: NodePlan) -> NodeSetup:
    network = plan.network(plan.node_network)
    plugin = {
        "type": "ipvlan",
        "mode": "l3s",
        "master": node.nic_on(network.name).device,
        "mtu": network.mtu,
        "ipam": host_local(node),
    }
    program = BootProgram(SHIM, "The node's own ipvlan interface beside its pods'", _program(plan, node))
    return with_program(
        NodeFile(f"{CNI_FOLDER}/10-ipvlan-l3s.conflist", conflist("ipvlan-l3s", plugin, HOST_PORTS_OF_NODES)),
        program,
    )


def _program(plan: Plan, node: NodePlan) -> str:
    network = plan.network(plan.node_network)
    nic, block = node.nic_on(network.name), block_of(node)
    return f"""\
#!/bin/bash
set -euo pipefail
{routes_to_other_blocks(plan, node)}\
# The pods' way to everything else: theirs must leave by {nic.device}.
ip route replace default via {network.host_address.ip} dev {nic.device} onlink metric {DEFAULT_METRIC}
if ! [ -e /sys/class/net/{SHIM} ]; then
  ip link add link {nic.device} name {SHIM} mtu {network.mtu} type ipvlan mode l3s
fi
sysctl --quiet --write net.ipv4.conf.{SHIM}.rp_filter=2
ip link set {SHIM} up
ip route replace {block} dev {SHIM} scope link src {nic.ipv4.ip}
{masquerade(plan, node)}\
# A service of this node's pods asked by one of them: the answer must come back through the node.
{rule(f"-s {block} -o {SHIM} -j SNAT --to-source {nic.ipv4.ip}")}"""


IPVLAN_L3S = Mode(
    name="ipvlan-l3s",
    summary="a block of the pod network per node, pods on the node's NIC, routed and filtered by the node",
    arrange=on_every_node(_node_setup),
    needs_pod_blocks=True,
    paths=(PacketPath(("eth0 (ipvlan)", "routes", NIC), "plain IP, node MACs"),),
    nic_setting=NicSetting.CNI,
    unseen_by_nodes="what comes for a pod: it passes INPUT, and between pods of one node nothing",
    routes_stay_away=True,
)
