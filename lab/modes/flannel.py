"""flannel: a block of the pod network per node, and a daemon that brings packets to the other nodes' blocks.

The daemon is lab-flanneld, which runs flannel's own packages; its objects are those of flannel's manifest.
Its backends are the ways in which packets go from node to node; each is a mode.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial

from lab.cluster.api import Manifest
from lab.cluster.objects import Workload, WorkloadKind
from lab.cluster.readiness import COREDNS, KUBE_PROXY
from lab.foundation.language import marked
from lab.modes.cni import HOST_PORTS, conflist
from lab.modes.mode import (
    CNI_FOLDER,
    NIC,
    Encapsulation,
    Images,
    Mode,
    ModeSetup,
    NicSetting,
    NodeSetup,
    PacketPath,
)
from lab.modes.workloads import workload_manifest
from lab.nodes.files import NodeFile
from lab.topology.plan import Plan

NAMESPACE = "kube-flannel"
DAEMONS = Workload(WorkloadKind.DAEMON_SET, NAMESPACE, "kube-flannel-ds")
SUBNET_FILE = "/run/flannel/subnet.env"
RESYNC_SECONDS = 60
"""Between two looks at the node's iptables rules, each a dozen programs. Every 5 s, as flannel
has it by itself, they take half of what an idle emulated worker takes: docs/tuning.md."""
SUBNET_SECONDS = 300
"""How long the daemon may take, from being applied, to have its node's block; emulation takes its time."""

Json = dict[str, object]


TUN = "/dev/net/tun"


@dataclass(frozen=True)
class Backend:
    """One of flannel's backends."""

    name: str
    summary: str
    settings: Json
    """What net-conf.json says about it besides its name."""
    wire: str
    """What a pod's packet is between the nodes."""
    devices: tuple[str, ...] = ()
    """What it passes between the bridge cni0 and the NIC."""
    opens_tun: bool = False
    """Whether the daemon itself carries the packets, through a tun device that it opens."""
    encapsulation: Encapsulation | None = None
    routes_stay_away: bool = False
    """Whether the daemon looks after its routes only when something changes in the cluster."""


BACKENDS = (
    Backend(
        "vxlan",
        marked("packets between nodes inside VXLAN"),
        {"VNI": 1, "Port": 8472},
        "UDP 8472, VNI 1",
        ("flannel.1",),
        encapsulation=Encapsulation("udp", "flannel.1", 8472),
        routes_stay_away=True,
    ),
    Backend("host-gw", marked("each node is the gateway to its block"), {}, "plain IP, node MACs"),
    Backend(
        "ipip",
        marked("packets between nodes inside IP"),
        {},
        "IP protocol 4",
        ("flannel.ipip",),
        encapsulation=Encapsulation("ipip", "flannel.ipip"),
    ),
    Backend(
        "udp",
        marked("packets between nodes inside UDP, by a program"),
        {"Port": 8285},
        "UDP 8285",
        ("flannel0 (tun)",),
        opens_tun=True,
        encapsulation=Encapsulation("udp", "flannel0", 8285),
    ),
)


def _arrange(backend: Backend, plan: Plan, images: Images) -> ModeSetup:
    setup = NodeSetup(
        cni=NodeFile(f"{CNI_FOLDER}/10-flannel.conflist", CNI_CONFIGURATION),
        files=(NodeFile("/etc/modules-load.d/flannel.conf", "tun\n"),) if backend.opens_tun else (),
        start="modprobe tun\n" if backend.opens_tun else "",
        ready=_WAIT_FOR_SUBNET,
    )
    return ModeSetup(
        nodes={node.name: setup for node in plan.nodes},
        manifests=manifests(plan, images.named("flannel"), backend),
        workloads=(KUBE_PROXY, DAEMONS, COREDNS),
    )


_WAIT_FOR_SUBNET = f"""\
for _ in $(seq {SUBNET_SECONDS * 2}); do [ -s {SUBNET_FILE} ] && break; sleep 0.5; done
[ -s {SUBNET_FILE} ] || {{
  echo "flannel's daemon has not written {SUBNET_FILE} after {SUBNET_SECONDS} s" >&2
  exit 1
}}
"""

CNI_CONFIGURATION = conflist(
    "cbr0",
    {"type": "flannel", "delegate": {"hairpinMode": True, "isDefaultGateway": True}},
    HOST_PORTS,
    version="0.3.1",
)


def manifests(plan: Plan, image: str, backend: Backend) -> tuple[Manifest, ...]:
    """Namespace, rights, configuration and daemon set, as in flannel's own kube-flannel.yml."""
    labels = {"app": "flannel", "tier": "node"}
    account = {"name": "flannel", "namespace": NAMESPACE}
    configuration = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "kube-flannel-cfg", "namespace": NAMESPACE, "labels": labels},
        "data": {
            "net-conf.json": json.dumps(
                {
                    "Network": str(plan.kubernetes.pod_cidr),
                    "Backend": {"Type": backend.name, **backend.settings},
                },
                indent=2,
            )
        },
    }
    rights = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "flannel"},
        "rules": [
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]},
            {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": [""], "resources": ["nodes/status"], "verbs": ["patch"]},
        ],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "flannel"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "flannel"},
        "subjects": [{"kind": "ServiceAccount", **account}],
    }
    return (
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": NAMESPACE,
                "labels": {"pod-security.kubernetes.io/enforce": "privileged"},
            },
        },
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account},
        rights,
        binding,
        configuration,
        workload_manifest(DAEMONS, labels, _pod(plan, image, backend)),
    )


def _pod(plan: Plan, image: str, backend: Backend) -> Json:
    # The device's node is mounted, so that kubelet waits for it; only a privileged container may open it.
    tun = [{"name": "tun", "hostPath": {"path": TUN, "type": "CharDevice"}}] if backend.opens_tun else []
    container = {
        "name": "kube-flannel",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        # By the node's address: the device that has it may be another one on each node.
        "args": [
            "--ip-masq",
            "--kube-subnet-mgr",
            "--iface=$(NODE_ADDRESS)",
            f"--iptables-resync={RESYNC_SECONDS}",
        ],
        "env": [
            {"name": "NODE_ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
            {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            # The API by its endpoint, not by its service: no daemon waits for kube-proxy's first rules.
            {"name": "KUBERNETES_SERVICE_HOST", "value": str(plan.api_on_nodes.address)},
            {"name": "KUBERNETES_SERVICE_PORT", "value": str(plan.api_on_nodes.port)},
        ],
        "resources": {"requests": {"cpu": "100m", "memory": "50Mi"}},
        "securityContext": {
            "privileged": backend.opens_tun,
            "capabilities": {"add": ["NET_ADMIN", "NET_RAW"]},
        },
        "volumeMounts": [
            {"name": "run", "mountPath": "/run/flannel"},
            {"name": "configuration", "mountPath": "/etc/kube-flannel"},
            {"name": "xtables-lock", "mountPath": "/run/xtables.lock"},
            *({"name": volume["name"], "mountPath": TUN} for volume in tun),
        ],
    }
    return {
        "hostNetwork": True,
        "priorityClassName": "system-node-critical",
        "serviceAccountName": "flannel",
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
        "volumes": [
            {"name": "run", "hostPath": {"path": "/run/flannel", "type": "DirectoryOrCreate"}},
            {"name": "configuration", "configMap": {"name": "kube-flannel-cfg"}},
            {"name": "xtables-lock", "hostPath": {"path": "/run/xtables.lock", "type": "FileOrCreate"}},
            *tun,
        ],
    }


FLANNEL_MODES = tuple(
    Mode(
        name=f"flannel-{backend.name}",
        summary=f"a block of the pod network per node, {backend.summary}",
        arrange=partial(_arrange, backend),
        images=("flannel",),
        paths=(PacketPath(("eth0", "veth", "cni0", *backend.devices, NIC), backend.wire),),
        daemon=DAEMONS,
        encapsulation=backend.encapsulation,
        nic_setting=NicSetting.DAEMON,
        routes_stay_away=backend.routes_stay_away,
    )
    for backend in BACKENDS
)
