"""routed: a bridge with a block of the pod CIDR on each node, and static routes to the other nodes' blocks.

Nothing but the CNI plugins bridge and host-local and the kernel's routing: no daemon, no encapsulation.
"""

from __future__ import annotations

from lab.cluster.readiness import COREDNS, KUBE_PROXY
from lab.modes.blocks import host_local, masquerade, routes_to_other_blocks
from lab.modes.boot import BootProgram
from lab.modes.mode import CNI_FOLDER, Images, Mode, ModeOption, ModeSetup, NodeSetup, PacketPath
from lab.modes.underlay import conflist
from lab.nodes.files import NodeFile
from lab.topology.mode_choice import ModeChoice
from lab.topology.plan import NodePlan, Plan

MASQUERADE = "masquerade"


def _arrange(plan: Plan, images: Images) -> ModeSetup:
    return ModeSetup(
        nodes={node.name: _node_setup(plan, node) for node in plan.nodes},
        workloads=(KUBE_PROXY, COREDNS),
    )


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
    return NodeSetup(
        cni=NodeFile(f"{CNI_FOLDER}/10-routed.conflist", conflist("routed", plugin)),
        files=program.files,
        start=program.start,
    )


ROUTED = Mode(
    name="routed",
    summary="a block of the pod network per node, static routes between the nodes",
    arrange=_arrange,
    options=(
        ModeOption(
            MASQUERADE,
            True,
            "outside of the pod network pods appear with their node's address; without it with their own, "
            "and reach only those who have a route back",
        ),
    ),
    needs_pod_blocks=True,
    variants=(ModeChoice("routed", {MASQUERADE: False}),),
    paths=(PacketPath(("eth0", "veth", "cni0", "routes", "eth1"), "plain IP, node MACs"),),
    routes_stay_away=True,
)
