"""kube-proxy in each of its modes: what kubeadm is told, and how a node shows that a Service is there."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import Any

from lab.foundation.errors import WrongUseError
from lab.supply.catalogue import Features, load_entry, versions
from lab.topology.models import Installer, KubeProxy
from lab.topology.plan import KubernetesPlan, Plan

Document = Mapping[str, Any]

ADDON = "addon/kube-proxy"
"""The phase of `kubeadm init` that installs it."""


def proxy_named(kube_proxy: KubeProxy) -> str:
    """For people: kube-proxy (ipvs), or that there is none."""
    return "no kube-proxy" if kube_proxy is KubeProxy.NONE else f"kube-proxy ({kube_proxy})"


def require_proxy(kubernetes: KubernetesPlan) -> None:
    """Raises WrongUseError when the version's kube-proxy does not have the mode."""
    wanted, known = kubernetes.kube_proxy, load_entry(kubernetes.version).features.kube_proxy_modes
    if wanted is KubeProxy.NONE or wanted in known:
        return
    having = [each for each in versions() if wanted in load_entry(each).features.kube_proxy_modes]
    others = f"or a version that has it (--kubernetes): {', '.join(having)}" if having else "or none"
    raise WrongUseError(
        f"kube-proxy of Kubernetes {kubernetes.version} has no mode {wanted}",
        details=f"it has {', '.join(known)}",
        resolution=f"use one of these, {others}",
    )


def require_unit(kubernetes: KubernetesPlan) -> None:
    """Raises WrongUseError when kube-proxy cannot be a unit of systemd, and the installer makes it one."""
    if kubernetes.installer is Installer.BINARY and kubernetes.kube_proxy is KubeProxy.NFTABLES:
        raise WrongUseError(
            "the installer binary has no kube-proxy (nftables)",
            details="as a unit of the node it has the node's own programs, and nft is not among them",
            resolution="--kube-proxy iptables or ipvs, or --installer kubeadm",
        )


def proxy_documents(plan: Plan, features: Features) -> tuple[Document, ...]:
    """What kubeadm's configuration says of it: nothing where it is not installed."""
    wanted = plan.kubernetes.kube_proxy
    if wanted is KubeProxy.NONE:
        return ()
    gate = features.kube_proxy_modes[wanted]
    return (
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": wanted.value,
            **({"featureGates": {gate: True}} if gate else {}),
            **({"ipvs": {"strictARP": True}} if strict_arp(plan) else {}),
        },
    )


def without_proxy(plan: Plan, skipped: tuple[str, ...]) -> tuple[str, ...]:
    """Phases of `kubeadm init` to skip: these, and the one that installs kube-proxy where there is none."""
    return (*skipped, ADDON) if plan.kubernetes.kube_proxy is KubeProxy.NONE else skipped


def strict_arp(plan: Plan) -> bool:
    """Whether nodes must not answer ARP for ClusterIPs.

    With IPVS every node has all of them on a device, and Linux answers for any address that a machine has, on
    any device (arp_ignore 0). Where they lie inside a network, all nodes would answer its hosts at once.
    """
    kubernetes = plan.kubernetes
    return kubernetes.kube_proxy is KubeProxy.IPVS and any(
        kubernetes.service_cidr.overlaps(network.cidr) for network in plan.networks
    )


def knows_service(kube_proxy: KubeProxy, address: IPv4Address) -> str:
    """A bash command that ends well on a node where kube-proxy has written the Service's ClusterIP."""
    if kube_proxy is KubeProxy.IPVS:
        return f"ipvsadm --save --numeric 2>/dev/null | grep -q -e '-A -t {address}:'"
    if kube_proxy is KubeProxy.NFTABLES:
        # kube-proxy's own program, in its image: nodes need none.
        return (
            "nsenter --target $(pgrep -x -o kube-proxy) --mount nft list table ip kube-proxy 2>/dev/null"
            f" | grep -q -F '{address} '"
        )
    return f"iptables-save -t nat | grep -q -e '-A KUBE-SERVICES -d {address}/32 '"
