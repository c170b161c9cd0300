"""kubeadm's configuration files, rendered from the plan (API kubeadm.k8s.io/v1beta3)."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

import yaml

from lab.cluster.credentials import (
    COMPONENT_CERTIFICATE,
    COMPONENT_KEY,
    api_server_addresses,
    api_server_names,
)
from lab.cluster.pki import discovery_hash
from lab.cluster.secrets import ClusterSecrets
from lab.nodes.files import NodeFile
from lab.nodes.runtimes import ContainerRuntime
from lab.supply.software import REGISTRY
from lab.topology.plan import NodePlan, Plan
from lab.topology.planner import API_PORT

LAB = "/etc/kubernetes/lab"
PATCHES = f"{LAB}/patches"
API = "kubeadm.k8s.io/v1beta3"
STARTUP_LIMIT = "10m0s"
"""How long kubeadm and kubelet may wait for the control plane and for joining; emulation takes minutes."""

HOUSEKEEPING_INTERVAL = "60s"
"""How often kubelet reads the statistics of all containers (cAdvisor); its own default is 10s. Of an idle
kubelet's processor time that was a sixth (CPU profile of v1.24.10)."""
FORGIVING_PROBE = {"periodSeconds": 30, "timeoutSeconds": 60, "failureThreshold": 8}
DNS_PATCH = f"{LAB}/coredns.yaml"

GO_ENVIRONMENT = {"GOGC": "400", "GODEBUG": "asyncpreemptoff=1"}
"""Fewer garbage collections, and no signals to preempt goroutines: under emulation signals are dear."""

Document = Mapping[str, Any]


def init_configuration(plan: Plan, runtime: ContainerRuntime, secrets: ClusterSecrets) -> str:
    """What `kubeadm init --config` reads: the cluster, and its first control plane node."""
    node = plan.first_control_plane
    init = {
        "apiVersion": API,
        "kind": "InitConfiguration",
        "bootstrapTokens": [
            {
                "token": secrets.token,
                "ttl": "0s",
                "usages": ["signing", "authentication"],
                "groups": ["system:bootstrappers:kubeadm:default-node-token"],
            }
        ],
        "localAPIEndpoint": {"advertiseAddress": str(node.internal_address), "bindPort": API_PORT},
        "nodeRegistration": _registration(node, runtime),
        "patches": {"directory": PATCHES},
    }
    return _documents(init, _cluster(plan), _kubelet(plan, runtime), _kube_proxy())


def join_configuration(plan: Plan, node: NodePlan, runtime: ContainerRuntime, secrets: ClusterSecrets) -> str:
    """What `kubeadm join --config` reads on a worker."""
    discovery = {
        "bootstrapToken": {
            "token": secrets.token,
            "apiServerEndpoint": plan.kubernetes.api.authority,
            "caCertHashes": [discovery_hash(secrets.authority.certificate)],
        },
        "timeout": STARTUP_LIMIT,
        "tlsBootstrapToken": secrets.token,
    }
    return _documents(
        {
            "apiVersion": API,
            "kind": "JoinConfiguration",
            "discovery": discovery,
            "nodeRegistration": _registration(node, runtime),
        }
    )


def control_plane_patches() -> tuple[NodeFile, ...]:
    """Changes to kubeadm's static pods that its configuration has no word for.

    Fewer garbage collections (GOGC) and probes that forgive a slow answer: on a busy host a control plane
    that answers late is better left alone than started anew. The startup probes stay as kubeadm sets them.
    """
    liveness = {"livenessProbe": FORGIVING_PROBE}
    readiness = {"readinessProbe": {"periodSeconds": 10, "timeoutSeconds": 60}}
    return (
        _patch("etcd", liveness),
        _patch("kube-apiserver", {**liveness, **readiness}),
        _patch("kube-controller-manager", liveness),
        _patch("kube-scheduler", liveness),
    )


def dns_patch() -> NodeFile:
    """For `kubectl patch`: probes of CoreDNS that forgive a slow answer.

    kubeadm gives it one second to say that it is ready. On a busy host it often needs more; then its Service
    has no endpoints, and names do not resolve though CoreDNS answers.
    """
    probes = {
        "livenessProbe": FORGIVING_PROBE,
        "readinessProbe": {"timeoutSeconds": FORGIVING_PROBE["timeoutSeconds"]},
    }
    pod = {"spec": {"containers": [{"name": "coredns", **probes}]}}
    return NodeFile(DNS_PATCH, _documents({"spec": {"template": pod}}))


def _cluster(plan: Plan) -> Document:
    kubernetes = plan.kubernetes
    names = [*api_server_names(plan), *map(str, api_server_addresses(plan))]
    return {
        "apiVersion": API,
        "kind": "ClusterConfiguration",
        "clusterName": "kubernetes",
        "kubernetesVersion": kubernetes.version,
        "imageRepository": REGISTRY,
        "networking": {
            "podSubnet": str(kubernetes.pod_cidr),
            "serviceSubnet": str(kubernetes.service_cidr),
            "dnsDomain": kubernetes.dns_domain,
        },
        "apiServer": {
            "certSANs": names,
            "timeoutForControlPlane": STARTUP_LIMIT,
            # Of all the API server's work in an idle cluster of 1.24, its own metrics are half
            # (sampleAndWaterMarkHistograms observes every millisecond); without fairness they are not kept.
            "extraArgs": {
                "enable-priority-and-fairness": "false",
                "max-requests-inflight": "0",
                "max-mutating-requests-inflight": "0",
            },
        },
        "controllerManager": _component({"node-monitor-grace-period": "120s"}),
        "scheduler": _component({}),
        "etcd": {
            "local": {
                "extraArgs": {
                    "heartbeat-interval": "1000",
                    "election-timeout": "10000",
                    "unsafe-no-fsync": "true",
                    # It tells of every request that takes 0.1 s: under emulation of most.
                    "log-level": "error",
                }
            }
        },
    }


def _component(arguments: Mapping[str, str]) -> Document:
    # With a single control plane there is nobody to elect; a lease lost on a busy host only hurts.
    serving = {"tls-cert-file": COMPONENT_CERTIFICATE, "tls-private-key-file": COMPONENT_KEY}
    folder = posixpath.dirname(COMPONENT_KEY)
    volume = {"name": "serving", "hostPath": folder, "mountPath": folder, "readOnly": True}
    return {
        "extraArgs": {"leader-elect": "false", **serving, **arguments},
        "extraVolumes": [{**volume, "pathType": "Directory"}],
    }


def _kubelet(plan: Plan, runtime: ContainerRuntime) -> Document:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "systemd",
        "resolvConf": "/etc/resolv.conf",
        "rotateCertificates": True,
        # The images come with the box and from nowhere else: they must never be collected, which is also
        # kubelet's first answer to a disk that fills up. 0% takes a threshold away.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {
            "memory.available": "50Mi" if runtime.cheap_statistics else "0%",
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
            "imagefs.available": "0%",
        },
        "runtimeRequestTimeout": "5m0s",
        **({} if runtime.cheap_statistics else _without_statistics(plan.kubernetes.version)),
    }


def _without_statistics(version: str) -> Document:
    """What keeps kubelet from measuring all containers, once it never evicts pods."""
    _, minor, _ = version.split(".")
    if int(minor) < 25:
        return {"featureGates": {"LocalStorageCapacityIsolation": False}}
    return {"localStorageCapacityIsolation": False}


def _kube_proxy() -> Document:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
    }


def _registration(node: NodePlan, runtime: ContainerRuntime) -> Document:
    registration: dict[str, Any] = {
        "name": node.name,
        "criSocket": runtime.cri_socket,
        "imagePullPolicy": "IfNotPresent",
        "kubeletExtraArgs": {
            "node-ip": str(node.internal_address),
            "housekeeping-interval": HOUSEKEEPING_INTERVAL,
        },
    }
    if node.taints is not None:
        registration["taints"] = [
            {"key": taint.key, "value": taint.value, "effect": taint.effect} for taint in node.taints
        ]
    return registration


def _patch(component: str, probes: Document) -> NodeFile:
    environment = [{"name": name, "value": value} for name, value in GO_ENVIRONMENT.items()]
    container = {"name": component, "env": environment, **probes}
    return NodeFile(
        f"{PATCHES}/{component}+strategic.yaml", _documents({"spec": {"containers": [container]}})
    )


def _documents(*documents: Document) -> str:
    return yaml.safe_dump_all(documents, sort_keys=False, width=10_000)
