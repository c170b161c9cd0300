"""hybridnet 0.8.8: overlay and underlay pods in one cluster, each pod by its annotation.

The objects are those of the chart in the Go module, with the values that the coursework's machines need: the
NICs by name (the default route leads to the uplink), no Felix. What differs from the chart besides: the names
of the NICs are each node's own, the CNI plugin is on the nodes already, the webhook's certificate is made
here, not published with the image, and the daemon looks at its rules less often and is probed
with patience, and all request a little of the processor.

The daemon reaches the API through its service, so it is started only when kube-proxy has its rules there.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from lab.cluster.api import Manifest
from lab.cluster.proxy import knows_service
from lab.cluster.readiness import COREDNS, KUBE_PROXY
from lab.modes.cni import HOST_PORTS_OF_NODES, conflist
from lab.modes.hybridnet.admission import mutating, validating
from lab.modes.hybridnet.names import (
    DAEMONS,
    MANAGERS,
    NAMESPACE,
    SOCKET,
    UNDERLAY_LABEL,
    VXLAN_ID,
    WEBHOOK,
    WEBHOOK_SECRET,
    WEBHOOKS,
)
from lab.modes.hybridnet.networks import overlay, underlay
from lab.modes.hybridnet.programs import Nics, Placement, daemon, manager, nics_of_nodes, webhook
from lab.modes.hybridnet.rights import rights
from lab.modes.mode import (
    CNI_FOLDER,
    NIC,
    Encapsulation,
    Images,
    Mode,
    ModeOption,
    ModeSetup,
    NodeSetup,
    PacketPath,
    ServingCertificate,
)
from lab.nodes.files import NodeFile
from lab.topology.models import NodeRole
from lab.topology.plan import NodePlan, Plan

CONTROL_PLANE_LABEL = "node-role.kubernetes.io/control-plane"
PLACEMENTS = {"control-plane": CONTROL_PLANE_LABEL, "master": "node-role.kubernetes.io/master"}
"""Values of the option `placement`, and the labels that they bind manager and webhook to."""

TUNNEL = f"{NIC}.vxlan{VXLAN_ID}"
"""How the daemon names the overlay's device (GenerateVxlanNetIfName)."""

NETWORK_TYPE = "networking.alibaba.com/network-type"
"""The annotation of a pod that says which of its networks it belongs to (constants.AnnotationNetworkType)."""

RULES_SECONDS = 300
DAEMON_SECONDS = 300
"""How long kube-proxy's first rules and the daemon may take; emulation takes its time."""


def _arrange(plan: Plan, images: Images) -> ModeSetup:
    setup = NodeSetup(
        cni=NodeFile(f"{CNI_FOLDER}/06-hybridnet.conflist", CNI_CONFIGURATION),
        before=_wait_for_rules(plan),
        ready=_WAIT_FOR_DAEMON,
    )
    placed_by_kubeadm = _placement(plan).label == CONTROL_PLANE_LABEL
    return ModeSetup(
        nodes={node.name: setup for node in plan.nodes},
        manifests=manifests(plan, images.named("hybridnet")),
        workloads=(KUBE_PROXY, MANAGERS, WEBHOOKS, DAEMONS, COREDNS),
        wait_for_labels=() if placed_by_kubeadm else (MANAGERS, WEBHOOKS),
        certificates=(ServingCertificate(NAMESPACE, WEBHOOK_SECRET, f"{WEBHOOK}.{NAMESPACE}.svc"),),
    )


def manifests(plan: Plan, image: str) -> tuple[Manifest, ...]:
    """Everything in the cluster, in an order that works: networks before the webhook that judges them."""
    network = plan.underlay
    assert network is not None, "Mode.check comes first"
    tunnels = plan.network(plan.node_network)
    nics = {
        node.name: Nics(node.nic_on(network.name).device, node.nic_on(tunnels.name).device)
        for node in plan.nodes
    }
    placement = _placement(plan)
    return (
        *yaml.safe_load_all((Path(__file__).parent / "crds.yaml").read_text()),
        *rights(),
        nics_of_nodes(nics),
        daemon(image, tunnels.cidr),
        manager(image, placement),
        *webhook(image, placement),
        *overlay(plan),
        *underlay(network),
        mutating(),
        validating(),
    )


CNI_CONFIGURATION = conflist(
    "hybridnet",
    {"type": "hybridnet", "server_socket": SOCKET},
    {"type": "bandwidth", "capabilities": {"bandwidth": True}},
    HOST_PORTS_OF_NODES,
    version="0.3.1",
)


def _wait_for_rules(plan: Plan) -> str:
    address = plan.kubernetes.api_service_address
    return f"""\
rules() {{ {knows_service(plan.kubernetes.kube_proxy, address)}; }}
for _ in $(seq {RULES_SECONDS}); do rules && break; sleep 1; done
rules || {{
  echo "kube-proxy has no rule for the API's service {address} after {RULES_SECONDS} s" >&2
  exit 1
}}
"""


_WAIT_FOR_DAEMON = f"""\
for _ in $(seq {DAEMON_SECONDS * 2}); do [ -S {SOCKET} ] && break; sleep 0.5; done
[ -S {SOCKET} ] || {{
  echo "hybridnet's daemon does not listen on {SOCKET} after {DAEMON_SECONDS} s" >&2
  exit 1
}}
"""


def _placement(plan: Plan) -> Placement:
    label = PLACEMENTS[str(HYBRIDNET.option(plan, "placement"))]
    return Placement(label, len(_nodes_with(plan, label)))


def _nodes_with(plan: Plan, label: str) -> list[NodePlan]:
    return [
        node
        for node in plan.nodes
        if label in node.labels or (label == CONTROL_PLANE_LABEL and node.role is NodeRole.CONTROL_PLANE)
    ]


def _problems(plan: Plan) -> list[str]:
    problems = []
    placement = str(HYBRIDNET.option(plan, "placement"))
    if placement not in PLACEMENTS:
        problems.append(f"its option placement is {placement!r}, expected {' or '.join(PLACEMENTS)}")
    elif not _nodes_with(plan, PLACEMENTS[placement]):
        problems.append(
            f"no node has the label {PLACEMENTS[placement]}, which its manager and webhook are bound to"
        )
    label, value = UNDERLAY_LABEL
    problems += [
        f"node {node.name} lacks the label {label}: {value}, without which it has no underlay pods"
        for node in plan.nodes
        if node.labels.get(label) != value
    ]
    return problems


HYBRIDNET = Mode(
    name="hybridnet",
    summary="overlay pods (VXLAN) and underlay pods in one cluster, each pod by its annotation",
    arrange=_arrange,
    options=(
        ModeOption(
            "placement",
            "control-plane",
            "the nodes for manager and webhook: control-plane, or master (an obsolete label) as in the chart",
        ),
    ),
    needs_underlay=True,
    needs_services=True,
    paths=(
        PacketPath(
            ("eth0", "hybr*", TUNNEL, NIC),
            f"UDP 8472, VNI {VXLAN_ID}",
            "overlay pod",
            {NETWORK_TYPE: "Overlay"},
        ),
        PacketPath(("eth0", "hybr*", NIC), "plain IP, node MACs", "underlay pod", {NETWORK_TYPE: "Underlay"}),
    ),
    images=("hybridnet",),
    network_kinds=("Network", "Subnet"),
    problems=_problems,
    daemon=DAEMONS,
    encapsulation=Encapsulation("udp", TUNNEL, 8472),
)
