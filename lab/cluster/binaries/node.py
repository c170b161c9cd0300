"""kubelet and kube-proxy as units on every node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from lab.cluster.binaries.certificates import KUBELET_KUBECONFIG, PROXY_KUBECONFIG
from lab.cluster.binaries.control_plane import ASK
from lab.cluster.binaries.units import PROGRAMS, UNITS, Unit
from lab.cluster.binaries.work import Installation, Work, hosts_control_plane
from lab.cluster.credentials import PKI
from lab.cluster.proxy import proxy_documents
from lab.cluster.readiness import KUBE_PROXY_HEALTH_PORT, KUBELET_HEALTH_PORT
from lab.cluster.tuning import Kind, Part, Settings
from lab.nodes.files import NodeFile
from lab.topology.plan import LOOPBACK, NodePlan

KUBELET_CONFIGURATION = "/var/lib/kubelet/config.yaml"
PROXY_CONFIGURATION = "/var/lib/kube-proxy/config.yaml"
KUBELET = "/usr/bin/kubelet"
"""It comes with the box."""
OF_KUBEADM = f"{UNITS}/kubelet.service.d/10-kubeadm.conf"
PROXY = "kube-proxy"


def kubelet(of: Installation, node: NodePlan) -> Work:
    configuration = NodeFile(KUBELET_CONFIGURATION, kubelet_configuration(of, node))
    health = f"{ASK} http://{LOOPBACK}:{KUBELET_HEALTH_PORT}/healthz"
    return Work(
        files=(kubelet_unit(of, node).file, configuration),
        start=f"rm -f {OF_KUBEADM}\n",
        units=("kubelet",),
        check=(health,),
    )


def kubelet_unit(of: Installation, node: NodePlan) -> Unit:
    runtime, settings = of.membership.runtime, of.membership.settings
    arguments = {
        "config": KUBELET_CONFIGURATION,
        "container-runtime-endpoint": runtime.cri_socket,
        "kubeconfig": KUBELET_KUBECONFIG,
        "node-ip": str(node.internal_address),
        **settings.of(Part.KUBELET, Kind.ARGUMENT),
    }
    after = tuple(unit.removesuffix(".service") for unit in runtime.services)
    return Unit("kubelet", "Kubernetes kubelet", KUBELET, arguments, settings, after)


def kubelet_configuration(of: Installation, node: NodePlan) -> str:
    """API kubelet.config.k8s.io/v1beta1. Its client certificate lasts as long as the lab: no rotation."""
    kubernetes, settings = of.plan.kubernetes, of.membership.settings
    taints = list(taints_of(node, settings))
    document = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True, "cacheTTL": "0s"},
            "x509": {"clientCAFile": f"{PKI}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "systemd",
        "clusterDNS": [str(kubernetes.dns_address)],
        "clusterDomain": kubernetes.dns_domain,
        "healthzBindAddress": str(LOOPBACK),
        "healthzPort": KUBELET_HEALTH_PORT,
        "resolvConf": "/etc/resolv.conf",
        "rotateCertificates": False,
        "tlsCertFile": "/var/lib/kubelet/pki/kubelet.crt",
        "tlsPrivateKeyFile": "/var/lib/kubelet/pki/kubelet.key",
        **({"registerWithTaints": taints} if taints else {}),
        **settings.of(Part.KUBELET, Kind.CONFIGURATION),
    }
    return _yaml(document)


def taints_of(node: NodePlan, settings: Settings) -> Iterator[Mapping[str, str]]:
    """The topology's; where it has none, those that kubeadm gives to a control plane."""
    if node.taints is not None:
        for taint in node.taints:
            yield {"key": taint.key, "value": taint.value, "effect": taint.effect}
    elif hosts_control_plane(node):
        for key in settings.features.control_plane_taints:
            yield {"key": key, "effect": "NoSchedule"}


def kube_proxy(of: Installation, node: NodePlan) -> Work:
    health = f"{ASK} http://{LOOPBACK}:{KUBE_PROXY_HEALTH_PORT}/healthz"
    configuration = NodeFile(PROXY_CONFIGURATION, proxy_configuration(of, node))
    arguments = {"config": PROXY_CONFIGURATION}
    settings = of.membership.settings
    unit = Unit(PROXY, "Kubernetes kube-proxy", f"{PROGRAMS}/{PROXY}", arguments, settings)
    return Work(files=(unit.file, configuration), units=(PROXY,), check=(health,))


def proxy_configuration(of: Installation, node: NodePlan) -> str:
    """API kubeproxy.config.k8s.io/v1alpha1, with the mode and cluster CIDR that kubeadm gives it."""
    (own,) = proxy_documents(of.plan, of.membership.settings.features)
    return _yaml(
        {
            **own,
            "bindAddress": "0.0.0.0",
            "clientConnection": {"kubeconfig": PROXY_KUBECONFIG},
            "clusterCIDR": str(of.plan.kubernetes.pod_cidr),
            "hostnameOverride": node.name,
        }
    )


def _yaml(document: Mapping[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=False, width=10_000)
