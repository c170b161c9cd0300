"""routed: a bridge with a block of the pod CIDR on each node, and static routes to the other nodes' blocks.

Nothing but the CNI plugins bridge and host-local and the kernel's routing: no daemon, no encapsulation.
"""

from __future__ import annotations

from lab.modes.blocks import host_local, masquerade, routes_to_other_blocks
from lab.modes.boot import BootProgram
from lab.modes.cni import HOST_PORTS, conflist
from lab.modes.mode import CNI_FOLDER, NIC, Mode, ModeOption, NodeSetup, PacketPath
from lab.modes.plain import on_every_node, with_program
from lab.nodes.files import NodeFile
from lab.topology.plan import NodePlan, Plan

MASQUERADE = "masquerade"


def _node_setup(plan: Plan, node: NodePlan) -> NodeSetup:
    plugin = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "hairpinMode": True,
        "mtu": plan.network(plan.node_network).mtu,
        "ipam": host_local(node),
    }
    text = f"#!/bin/bash\nset -euo pipefail\n{routes_to_other_blocks(plan, node)}"
    if ROUTED.option(plan, MASQUERADE):
        text += masquerade(plan, node)
    program = BootProgram("lab-pod-routes", "Routes to the pods of the other nodes", text)
    cni = NodeFile(f"{CNI_FOLDER}/10-routed.conflist", conflist("routed", plugin, HOST_PORTS))
    return with_program(cni, program)


ROUTED = Mode(
    name="routed",
    summary="a block of the pod network per node, static routes between the nodes",
    arrange=on_every_node(_node_setup),
    options=(
        ModeOption(
            MASQUERADE,
            True,
            "outside of the pod network pods appear with their node's address; without it with their own, "
            "and reach only those who have a route back",
        ),
    ),
    needs_pod_blocks=True,
    variants=({MASQUERADE: False},),
    paths=(PacketPath(("eth0", "veth", "cni0", "routes", NIC), "plain IP, node MACs"),),
    routes_stay_away=True,
)
