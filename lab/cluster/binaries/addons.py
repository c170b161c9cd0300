"""What a cluster needs beside its programs: rights, labels of control planes, and DNS.

CoreDNS as kubeadm installs it: cmd/kubeadm/app/phases/addons/dns/manifests.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lab.cluster.api import ClusterApi, Manifest
from lab.cluster.binaries.certificates import API_SERVER_USER
from lab.cluster.binaries.work import Installation
from lab.cluster.readiness import COREDNS, COREDNS_HEALTH_PORT, SYSTEM
from lab.cluster.tuning import Kind, Part

TO_KUBELET = "system:kube-apiserver-to-kubelet"
RBAC = "rbac.authorization.k8s.io"
OF_DNS = {"k8s-app": "kube-dns"}
CONTROL_PLANE_LABELS = {
    "node-role.kubernetes.io/control-plane": "",
    "node.kubernetes.io/exclude-from-external-load-balancers": "",
}
"""kubeadm's. A kubelet may not give itself labels of that kind (NodeRestriction)."""


def label_control_planes(of: Installation, api: ClusterApi) -> None:
    """Raises ApiError for a node that has not joined."""
    for node in of.plan.control_planes:
        api.label_node(node.name, CONTROL_PLANE_LABELS)


def control_planes_labelled(of: Installation, api: ClusterApi) -> bool:
    labels = {node.name: node.labels for node in api.nodes()}
    wanted = CONTROL_PLANE_LABELS.items()
    return all(wanted <= dict(labels.get(node.name, {})).items() for node in of.plan.control_planes)


def rights() -> tuple[Manifest, ...]:
    """The API server may ask kubelets, which ask it whether it may; all other rights are its own roles."""
    resources = [f"nodes/{each}" for each in ("proxy", "stats", "log", "spec", "metrics")]
    role = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": TO_KUBELET},
        "rules": [{"apiGroups": [""], "resources": resources, "verbs": ["*"]}],
    }
    user = {"apiGroup": RBAC, "kind": "User", "name": API_SERVER_USER}
    return role, _binding(TO_KUBELET, user)


def dns(of: Installation) -> tuple[Manifest, ...]:
    """CoreDNS and the Service kube-dns, at the address that kubelets tell pods."""
    reads: list[Mapping[str, list[str]]] = [
        {
            "apiGroups": [""],
            "resources": ["endpoints", "services", "pods", "namespaces"],
            "verbs": ["list", "watch"],
        },
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]},
    ]
    role = f"system:{COREDNS.name}"
    account = {"kind": "ServiceAccount", "name": COREDNS.name, "namespace": SYSTEM}
    return (
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(COREDNS.name)},
        {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": role}, "rules": reads},
        _binding(role, account),
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": _metadata(COREDNS.name),
            "data": {"Corefile": corefile(of.plan.kubernetes.dns_domain)},
        },
        _dns_service(of),
        _dns_deployment(of),
    )


def corefile(domain: str) -> str:
    return f"""\
.:53 {{
    errors
    health {{
       lameduck 5s
    }}
    ready
    kubernetes {domain} in-addr.arpa ip6.arpa {{
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }}
    prometheus :9153
    forward . /etc/resolv.conf {{
       max_concurrent 1000
    }}
    cache 30
    loop
    reload
    loadbalance
}}
"""


def _dns_service(of: Installation) -> Manifest:
    labels = {**OF_DNS, "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"}
    ports = (("dns", 53, "UDP"), ("dns-tcp", 53, "TCP"), ("metrics", 9153, "TCP"))
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**_metadata("kube-dns"), "labels": labels},
        "spec": {
            "clusterIP": str(of.plan.kubernetes.dns_address),
            "selector": OF_DNS,
            "ports": [
                {"name": name, "port": port, "protocol": protocol, "targetPort": port}
                for name, port, protocol in ports
            ],
        },
    }


def _dns_deployment(of: Installation) -> Manifest:
    settings = of.membership.settings
    tolerated = [
        {"key": "CriticalAddonsOnly", "operator": "Exists"},
        *({"key": key, "effect": "NoSchedule"} for key in settings.features.control_plane_taints),
    ]
    apart = {
        "weight": 100,
        "podAffinityTerm": {
            "labelSelector": {"matchLabels": OF_DNS},
            "topologyKey": "kubernetes.io/hostname",
        },
    }
    files = {"name": "config-volume", "configMap": {"name": COREDNS.name}}
    pod = {
        "priorityClassName": "system-cluster-critical",
        "serviceAccountName": COREDNS.name,
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [apart]}},
        "tolerations": tolerated,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "containers": [dict(_dns_container(of))],
        "dnsPolicy": "Default",
        "volumes": [files],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**_metadata(COREDNS.name), "labels": OF_DNS},
        "spec": {
            "replicas": 2,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "selector": {"matchLabels": OF_DNS},
            "template": {"metadata": {"labels": OF_DNS}, "spec": pod},
        },
    }


def _dns_container(of: Installation) -> Iterator[tuple[str, Any]]:
    probes = of.membership.settings.of(Part.COREDNS, Kind.PROBE)
    health = {"httpGet": {"path": "/health", "port": COREDNS_HEALTH_PORT}}
    yield "name", COREDNS.name
    yield "image", of.image("coredns")
    yield "imagePullPolicy", "IfNotPresent"
    yield "args", ["-conf", "/etc/coredns/Corefile"]
    yield "resources", {"limits": {"memory": "170Mi"}, "requests": {"cpu": "100m", "memory": "70Mi"}}
    yield "volumeMounts", [{"name": "config-volume", "mountPath": "/etc/coredns", "readOnly": True}]
    yield (
        "ports",
        [
            {"containerPort": 53, "name": "dns", "protocol": "UDP"},
            {"containerPort": 53, "name": "dns-tcp", "protocol": "TCP"},
            {"containerPort": 9153, "name": "metrics", "protocol": "TCP"},
        ],
    )
    yield (
        "livenessProbe",
        {
            **health,
            "initialDelaySeconds": 60,
            "timeoutSeconds": 5,
            "failureThreshold": 5,
            **probes.get("livenessProbe", {}),
        },
    )
    yield (
        "readinessProbe",
        {"httpGet": {"path": "/ready", "port": 8181}, **probes.get("readinessProbe", {})},
    )
    yield (
        "securityContext",
        {
            "allowPrivilegeEscalation": False,
            "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["all"]},
            "readOnlyRootFilesystem": True,
        },
    )


def _metadata(name: str) -> dict[str, Any]:
    return {"name": name, "namespace": SYSTEM}


def _binding(role: str, subject: Mapping[str, str]) -> Manifest:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": role},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [subject],
    }
