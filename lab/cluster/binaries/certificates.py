"""Certificates, keys and kubeconfigs of a node, signed on the host: no program asks for its own."""

from __future__ import annotations

from hashlib import sha256

from lab.cluster.binaries.work import Installation, Work, hosts_control_plane
from lab.cluster.credentials import (
    PKI,
    component_serving_files,
    control_plane_files,
    kubeconfig_file,
    kubelet_serving_files,
)
from lab.cluster.pki import Subject
from lab.nodes.files import NodeFile
from lab.topology.plan import NodePlan

API_SERVER_USER = "kube-apiserver-kubelet-client"
"""By which kubelets know the API server. kubeadm gives it all rights, here it has a role of its own."""
PROXY_USER = "system:kube-proxy"
"""The API server's own roles let it read Services and endpoints (bootstrappolicy)."""
KUBELET_KUBECONFIG = "/etc/kubernetes/kubelet.conf"
PROXY_KUBECONFIG = "/etc/kubernetes/kube-proxy.conf"


def certificates(of: Installation, node: NodePlan) -> Work:
    """The check is that all are there, of this cluster's authority."""
    files = certificate_files(of, node)
    authority = of.membership.secrets.authority.certificate
    digest = sha256(authority.encode()).hexdigest()
    return Work(
        files=files,
        check=(
            f"echo '{digest}  {PKI}/ca.crt' | sha256sum --check --status",
            *(f"[ -s {file.path} ]" for file in files),
        ),
    )


def certificate_files(of: Installation, node: NodePlan) -> tuple[NodeFile, ...]:
    plan, secrets = of.plan, of.membership.secrets
    if hosts_control_plane(node):
        api_server = Subject(API_SERVER_USER, client=True)
        own = (
            *control_plane_files(plan, node, secrets, kubelet_client=api_server),
            *component_serving_files(secrets),
        )
    else:
        kubelet = Subject(f"system:node:{node.name}", ("system:nodes",), client=True)
        own = (
            NodeFile(f"{PKI}/ca.crt", secrets.authority.certificate),
            kubeconfig_file(KUBELET_KUBECONFIG, plan, secrets, kubelet),
        )
    proxy = Subject(PROXY_USER, client=True)
    return (
        *own,
        *kubelet_serving_files(plan, node, secrets),
        kubeconfig_file(PROXY_KUBECONFIG, plan, secrets, proxy),
    )
