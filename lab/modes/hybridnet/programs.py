"""hybridnet's programs as the chart runs them: a daemon on every node, manager and webhook on chosen ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network

from lab.cluster.api import Manifest
from lab.modes.hybridnet.names import (
    ACCOUNT,
    DAEMONS,
    MANAGER,
    MANAGERS,
    NAMESPACE,
    SOCKET,
    WEBHOOK,
    WEBHOOK_PORT,
    WEBHOOK_SECRET,
    WEBHOOKS,
    Json,
    labels,
)
from lab.modes.workloads import patient_probes, workload_manifest

CERTIFICATE_FOLDER = "/tmp/k8s-webhook-server/serving-certs"
FEATURES = "--feature-gates=MultiCluster=false"
NICS = "hybridnet-nics"
NICS_FOLDER = "/etc/hybridnet-nics"

RESOURCES: Json = {"requests": {"cpu": "50m"}}
"""Of each program. A pod without a request has a weight of 1 beside some 30 of the control plane's pods: on a
busy node the manager could not renew its lease in ten seconds, ended, and began again."""

RULES_CHECKED_EVERY = "1m"
"""How often the daemon looks whether its rules are still there; what changes them is done at once.

Its own value is five seconds. One look starts some forty programs (ipset, iptables), one after the other:
half of an emulated node's processor.
"""


@dataclass(frozen=True)
class Nics:
    """The devices of one node that hybridnet uses."""

    underlay: str
    tunnels: str

    @property
    def flags(self) -> str:
        """What the daemon is told of them."""
        return (
            f"--prefer-vxlan-interfaces={self.tunnels}"
            f" --prefer-vlan-interfaces={self.underlay}"
            f" --prefer-bgp-interfaces={self.underlay}"
        )


@dataclass(frozen=True)
class Placement:
    """The label of the nodes that manager and webhook are bound to, and how many nodes carry it."""

    label: str
    replicas: int


def nics_of_nodes(nics: Mapping[str, Nics]) -> Manifest:
    """What each node's daemon reads, by the node's name: its pods are all alike, the NICs are not."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NICS, "namespace": NAMESPACE},
        "data": {node: f"{each.flags}\n" for node, each in nics.items()},
    }


def daemon(image: str, tunnel_ends: IPv4Network) -> Manifest:
    """The daemon: without Felix, so without network policies. Its VXLAN address is one of `tunnel_ends`."""
    folders = {
        "run-cni": "/run/cni",
        "modules": "/lib/modules",
        "xtables-lock": "/run/xtables.lock",
        "netns": "/var/run/netns",
    }
    mounts: list[Json] = [{"name": name, "mountPath": path} for name, path in folders.items()]
    mounts[-1]["mountPropagation"] = "Bidirectional"
    volumes: list[Json] = [{"name": name, "hostPath": {"path": path}} for name, path in folders.items()]
    volumes[2] = {"name": "xtables-lock", "hostPath": {"path": "/run/xtables.lock", "type": "FileOrCreate"}}
    mounts.append({"name": "nics", "mountPath": NICS_FOLDER, "readOnly": True})
    volumes.append({"name": "nics", "configMap": {"name": NICS}})
    container: Json = {
        "name": "cni-daemon",
        "image": image,
        "resources": RESOURCES,
        "imagePullPolicy": "IfNotPresent",
        # As upstream's start script: a socket that a killed daemon left keeps the next one from listening.
        "command": [
            "/bin/sh",
            "-c",
            f'read -r nics <{NICS_FOLDER}/"$KUBE_NODE_NAME" && rm -f {SOCKET} &&'
            f' exec /hybridnet/hybridnet-daemon --bind-socket={SOCKET} $nics "$@"',
            "hybridnet-daemon",
        ],
        "args": [
            f"--vtep-address-cidrs={tunnel_ends}",
            "--patch-calico-pod-ips-annotation=false",
            "--check-pod-connectivity-from-host=true",
            "--enable-vlan-arp-enhancement=true",
            FEATURES,
            "--update-ipinstance-status=true",
            f"--iptables-check-duration={RULES_CHECKED_EVERY}",
        ],
        "env": [
            {"name": "DEFAULT_IP_FAMILY", "value": "IPv4"},
            {"name": "NODE_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "KUBE_NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        ],
        "securityContext": {"runAsUser": 0, "privileged": True},
        **patient_probes({"httpGet": {"path": "/live", "port": 11021}}),
        "volumeMounts": mounts,
    }
    pod: Json = {
        "hostNetwork": True,
        "hostPID": True,
        "priorityClassName": "system-cluster-critical",
        "serviceAccountName": ACCOUNT,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
        "volumes": volumes,
    }
    return workload_manifest(DAEMONS, labels("daemon"), pod)


def manager(image: str, placement: Placement) -> Manifest:
    """What hands out addresses and marks the nodes; one of its pods leads, no two on one node."""
    container: Json = {
        "name": MANAGER,
        "image": image,
        "resources": RESOURCES,
        "imagePullPolicy": "IfNotPresent",
        "command": [
            "/hybridnet/hybridnet-manager",
            "--default-ip-retain=true",
            f"{FEATURES},VMIPRetain=false",
            "--controller-concurrency=Pod=1,IPAM=1,IPInstance=1",
            "--kube-client-qps=300",
            "--kube-client-burst=600",
            "--metrics-port=9899",
        ],
        "env": [
            *_DEFAULTS,
            {"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        ],
        "ports": [{"name": "http-metrics", "containerPort": 9899, "protocol": "TCP"}],
    }
    apart = {"labelSelector": {"matchLabels": labels("manager")}, "topologyKey": "kubernetes.io/hostname"}
    pod = {
        **_placed(container, placement),
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [apart]}},
    }
    return workload_manifest(MANAGERS, labels("manager"), pod, spec=_rollout(placement))


def webhook(image: str, placement: Placement) -> tuple[Manifest, ...]:
    """What looks at new pods and networks, and its Service."""
    container: Json = {
        "name": WEBHOOK,
        "image": image,
        "resources": RESOURCES,
        "imagePullPolicy": "IfNotPresent",
        "command": [
            "/hybridnet/hybridnet-webhook",
            "--default-ip-retain=true",
            f"{FEATURES},VMIPRetain=false",
        ],
        "args": [f"--port={WEBHOOK_PORT}"],
        "env": _DEFAULTS,
        "ports": [{"name": "webhook-port", "containerPort": WEBHOOK_PORT, "protocol": "TCP"}],
        "volumeMounts": [{"name": "certificate", "mountPath": CERTIFICATE_FOLDER, "readOnly": True}],
    }
    pod = {
        **_placed(container, placement),
        "volumes": [{"name": "certificate", "secret": {"secretName": WEBHOOK_SECRET}}],
    }
    service: Manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": WEBHOOK, "namespace": NAMESPACE},
        "spec": {
            "type": "ClusterIP",
            "selector": labels("webhook"),
            "ports": [{"name": "webhook-port", "protocol": "TCP", "port": 443, "targetPort": "webhook-port"}],
        },
    }
    # The webhook must not be asked about its own pods.
    ignored = {"webhook.hybridnet.io/ignore": "true"}
    spec = _rollout(placement)
    return service, workload_manifest(WEBHOOKS, labels("webhook"), pod, only_pods=ignored, spec=spec)


_DEFAULTS: list[Json] = [
    {"name": "DEFAULT_NETWORK_TYPE", "value": "Overlay"},
    {"name": "DEFAULT_IP_FAMILY", "value": "IPv4"},
]


def _placed(container: Json, placement: Placement) -> Json:
    return {
        "hostNetwork": True,
        "priorityClassName": "system-cluster-critical",
        "serviceAccountName": ACCOUNT,
        "nodeSelector": {placement.label: ""},
        "tolerations": [{"operator": "Exists", "effect": "NoSchedule"}],
        "containers": [container],
    }


def _rollout(placement: Placement) -> Json:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    return {"replicas": placement.replicas, "strategy": strategy}
