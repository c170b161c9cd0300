"""calico 3.25: three modes that differ in how packets go to the other nodes' blocks.

The objects are those of calico's manifest in the Go module github.com/projectcalico/calico. Felix makes the
devices, routes and rules of its node's pods; with VXLAN it makes the routes to the other nodes too, otherwise
BIRD does, from what it hears by BGP. The kubelet's CNI plugin hands out addresses by itself, through the API.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from lab.cluster.api import Manifest
from lab.cluster.readiness import COREDNS, KUBE_PROXY
from lab.foundation.language import marked
from lab.modes.calico.definitions import definitions
from lab.modes.calico.names import (
    CNI,
    CNI_FOLDER,
    CONTROLLER_PODS,
    CONTROLLERS,
    GROUP,
    HEALTH_PORT,
    NODE,
    NODE_DAEMONS,
)
from lab.modes.calico.programs import Images as CalicoImages
from lab.modes.calico.programs import controllers, daemons
from lab.modes.calico.rights import rights
from lab.modes.mode import CNI_FOLDER as KUBELETS_FOLDER
from lab.modes.mode import NIC, Encapsulation, Images, Mode, ModeSetup, NodeSetup, PacketPath
from lab.nodes.files import NodeFile
from lab.topology.plan import NodePlan, Plan

BLOCK_PREFIX = 26
FELIX_SECONDS = 420
"""How long Felix may take, from being applied, to have its node's rules; emulation takes its time."""

VXLAN_BYTES = 50
IPIP_BYTES = 20


@dataclass(frozen=True)
class Transport:
    """How a packet from pod to pod gets to the other node."""

    name: str
    summary: str
    wire: str
    overhead: int
    """Bytes that it puts around a packet."""
    pool: Mapping[str, str]
    """What the pool of addresses says about it."""
    device: str = ""
    """What a packet passes between the pod's veth and the NIC."""
    speaks_bgp: bool = True
    node_image: str = NODE
    mtu_variable: str = ""
    """Felix's variable for the MTU of that device."""
    encapsulation: Encapsulation | None = None


TRANSPORTS = (
    Transport(
        "vxlan",
        marked("packets between nodes inside VXLAN"),
        "UDP 4789, VNI 4096",
        VXLAN_BYTES,
        {"vxlanMode": "Always", "ipipMode": "Never"},
        "vxlan.calico",
        speaks_bgp=False,
        mtu_variable="FELIX_VXLANMTU",
        encapsulation=Encapsulation("udp", "vxlan.calico", 4789),
    ),
    Transport(
        "ipip",
        marked("packets between nodes inside IP, routes by BGP"),
        "IP protocol 4",
        IPIP_BYTES,
        {"vxlanMode": "Never", "ipipMode": "Always"},
        "tunl0",
        node_image=f"{NODE}-ipip",
        mtu_variable="FELIX_IPINIPMTU",
        encapsulation=Encapsulation("ipip", "tunl0"),
    ),
    Transport(
        "bgp",
        marked("each node is the gateway to its blocks, routes by BGP"),
        "plain IP, node MACs",
        0,
        {"vxlanMode": "Never", "ipipMode": "Never"},
    ),
)


def _arrange(transport: Transport, plan: Plan, images: Images) -> ModeSetup:
    def setup(node: NodePlan) -> NodeSetup:
        configuration = _cni_configuration(node, _mtu(transport, plan))
        cni = NodeFile(f"{KUBELETS_FOLDER}/10-calico.conflist", configuration)
        return NodeSetup(cni=cni, ready=_WAIT_FOR_FELIX)

    return ModeSetup(
        nodes={node.name: setup(node) for node in plan.nodes},
        manifests=manifests(transport, plan, images),
        workloads=(KUBE_PROXY, NODE_DAEMONS, CONTROLLER_PODS, COREDNS),
    )


_WAIT_FOR_FELIX = f"""\
felix() {{ curl --silent --fail --max-time 5 --output /dev/null http://127.0.0.1:{HEALTH_PORT}/readiness; }}
for _ in $(seq {FELIX_SECONDS}); do felix && break; sleep 1; done
felix || {{
  echo "calico's Felix is not ready after {FELIX_SECONDS} s" >&2
  exit 1
}}
"""


# The plugin's token for the API lives 24 hours. What renews it in calico-node sleeps for a quarter of that by
# the monotonic clock (node/pkg/cni/token_watch.go), which stands still in a snapshot. It is ended here; runit
# starts it again, and it renews the token at once.
_END_RENEWER = """\
for process in /proc/[0-9]*; do
  mapfile -d '' -t words < "$process/cmdline" || continue
  if [ "${words[0]##*/} ${words[1]:-}" = 'calico-node -monitor-token' ]; then kill "${process##*/}"; fi
done 2>/dev/null
"""


def manifests(transport: Transport, plan: Plan, images: Images) -> tuple[Manifest, ...]:
    """Everything in the cluster, in an order that works: the pool before the daemons that look for one."""
    calico = CalicoImages(*map(images.named, (transport.node_image, CNI, CONTROLLERS)))
    return (
        *definitions(),
        *rights(),
        {
            "apiVersion": f"{GROUP}/v1",
            "kind": "IPPool",
            "metadata": {"name": "default-ipv4-ippool"},
            "spec": {
                "cidr": str(plan.kubernetes.pod_cidr),
                "blockSize": BLOCK_PREFIX,
                **transport.pool,
                "natOutgoing": True,
                "nodeSelector": "all()",
            },
        },
        daemons(plan, calico, _environment(transport, plan), speaks_bgp=transport.speaks_bgp),
        controllers(calico),
    )


def _environment(transport: Transport, plan: Plan) -> dict[str, str]:
    nodes = plan.network(plan.node_network)
    return {
        "DATASTORE_TYPE": "kubernetes",
        "WAIT_FOR_DATASTORE": "true",
        "CALICO_NETWORKING_BACKEND": "bird" if transport.speaks_bgp else "vxlan",
        "CLUSTER_TYPE": "k8s,bgp" if transport.speaks_bgp else "k8s",
        "CALICO_DISABLE_FILE_LOGGING": "true",
        "NO_DEFAULT_POOLS": "true",
        # The node's address by its network: the default route leads to the uplink.
        "IP": "autodetect",
        "IP_AUTODETECTION_METHOD": f"cidr={nodes.cidr}",
        **({transport.mtu_variable: str(_mtu(transport, plan))} if transport.device else {}),
        # Read by the image that lab builds, to tell a BIRD that cannot do it.
        **({"BGP_TUNNEL": transport.device} if transport.speaks_bgp and transport.device else {}),
        "FELIX_DEFAULTENDPOINTTOHOSTACTION": "ACCEPT",
        "FELIX_HEALTHENABLED": "true",
        # As on the nodes and in kube-proxy's image: of rules of both kinds neither program sees all.
        "FELIX_IPTABLESBACKEND": "Legacy",
        "FELIX_IPV6SUPPORT": "false",
        "FELIX_USAGEREPORTINGENABLED": "false",
        "FELIX_XDPENABLED": "false",
    }


def _mtu(transport: Transport, plan: Plan) -> int:
    return plan.network(plan.node_network).mtu - transport.overhead


def _cni_configuration(node: NodePlan, mtu: int) -> str:
    plugin = {
        "type": "calico",
        "log_level": "info",
        "log_file_path": "/var/log/calico/cni/cni.log",
        "datastore_type": "kubernetes",
        "nodename": node.name,
        "mtu": mtu,
        "ipam": {"type": "calico-ipam"},
        "policy": {"type": "k8s"},
        "kubernetes": {"kubeconfig": f"{CNI_FOLDER}/calico-kubeconfig"},
    }
    document = {
        "name": "k8s-pod-network",
        "cniVersion": "0.3.1",
        "plugins": [
            plugin,
            {"type": "portmap", "snat": True, "capabilities": {"portMappings": True}},
            {"type": "bandwidth", "capabilities": {"bandwidth": True}},
        ],
    }
    return json.dumps(document, indent=2) + "\n"


CALICO_MODES = tuple(
    Mode(
        name=f"calico-{transport.name}",
        summary=f"blocks of the pod network on demand, {transport.summary}",
        arrange=partial(_arrange, transport),
        images=(transport.node_image, CNI, CONTROLLERS),
        daemon=NODE_DAEMONS,
        encapsulation=transport.encapsulation,
        enforces_policies=True,
        after_leap=_END_RENEWER,
        paths=(
            PacketPath(
                ("eth0", "cali*", *([transport.device] if transport.device else []), NIC), transport.wire
            ),
        ),
    )
    for transport in TRANSPORTS
)
