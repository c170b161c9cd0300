"""The files under /etc/kubernetes that kubeadm would otherwise generate on the nodes, by kubeadm's own names.

Names, subjects and usages are those of kubeadm's certs and kubeconfig phases
(cmd/kubeadm/app/phases/certs/certlist.go, phases/kubeconfig/kubeconfig.go).
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from datetime import datetime

import yaml

from lab.cluster.pki import KeyPair, Subject, issue, public_half
from lab.cluster.secrets import ClusterSecrets
from lab.nodes.files import NodeFile
from lab.topology.models import IpAddress
from lab.topology.plan import LOOPBACK, ApiEndpoint, NodePlan, Plan
from lab.topology.planner import API_PORT

PKI = "/etc/kubernetes/pki"
ADMINS = "system:masters"
COMPONENT_CERTIFICATE = "/etc/kubernetes/lab/serving/tls.crt"
COMPONENT_KEY = "/etc/kubernetes/lab/serving/tls.key"
SECRET_MODE = 0o600


KUBELET_CLIENT = Subject("kube-apiserver-kubelet-client", (ADMINS,), client=True)
"""The API server, as kubeadm lets kubelets know it."""


def control_plane_files(
    plan: Plan, node: NodePlan, secrets: ClusterSecrets, *, kubelet_client: Subject = KUBELET_CLIENT
) -> tuple[NodeFile, ...]:
    """Certificates, keys and kubeconfig files of that control plane."""
    return (
        *_certificates(plan, node, secrets, kubelet_client),
        *_service_account_files(secrets),
        *_kubeconfigs(plan, node, secrets),
    )


def admin_kubeconfig(plan: Plan, secrets: ClusterSecrets) -> str:
    """A kubeconfig with all rights, for the host side; it is valid before the API server answers.

    Of several control planes each has a context of its name too, past the load balancer.
    """
    api, subject = plan.kubernetes.api, Subject("kubernetes-admin", (ADMINS,), client=True)
    servers = {node.name: _server(node) for node in plan.control_planes} if plan.load_balancer else {}
    return _kubeconfig(api, secrets, subject, servers)


def kubelet_serving_files(plan: Plan, node: NodePlan, secrets: ClusterSecrets) -> tuple[NodeFile, ...]:
    """The certificate of kubelet's own HTTPS port; without it kubelet makes an RSA key at its first start."""
    addresses = tuple(address.ip for nic in node.nics for address in nic.addresses)
    names = (node.name,)
    pair = issue(secrets.authority, Subject(node.name, dns_names=names, addresses=addresses, server=True))
    return _pair_files("/var/lib/kubelet/pki/kubelet", pair)


def kubelet_client_pem(node: NodePlan, secrets: ClusterSecrets) -> str:
    """What a kubelet shows to the API, as it keeps it itself: certificate and key in one file."""
    pair = issue(secrets.authority, _kubelet(node))
    return pair.certificate + pair.key


def component_serving_files(secrets: ClusterSecrets) -> tuple[NodeFile, ...]:
    """What controller manager and scheduler serve their health with, on loopback.

    Without it each makes RSA keys in memory at every start, which under emulation takes longer than all the
    rest of starting.
    """
    subject = Subject("control-plane-component", dns_names=("localhost",), addresses=(LOOPBACK,), server=True)
    return _pair_files(COMPONENT_CERTIFICATE.removesuffix(".crt"), issue(secrets.authority, subject))


def api_server_names(plan: Plan) -> tuple[str, ...]:
    """Every name by which someone may reach the API: the endpoint's, the control planes', loopback's."""
    return (*plan.kubernetes.api.names, *(node.name for node in plan.control_planes), "localhost")


def api_server_addresses(plan: Plan) -> tuple[IpAddress, ...]:
    """Every address by which someone may reach the API, each once.

    Those of the control planes' NICs, the endpoint's, the service's and loopback.
    """
    nodes = (address.ip for node in plan.control_planes for nic in node.nics for address in nic.addresses)
    kubernetes = plan.kubernetes
    known = (*nodes, *kubernetes.api.addresses, kubernetes.api_service_address, LOOPBACK)
    return tuple(dict.fromkeys(known))


def api_server_certificate(
    plan: Plan,
    secrets: ClusterSecrets,
    without: Collection[IpAddress] = (),
    ends: datetime | None = None,
) -> KeyPair:
    """For every name and address by which someone may reach the API, but for those `without`.

    It runs out at `ends`, by default when all others do.
    """
    addresses = tuple(each for each in api_server_addresses(plan) if each not in without)
    names = api_server_names(plan)
    subject = Subject("kube-apiserver", dns_names=names, addresses=addresses, server=True)
    return issue(secrets.authority, subject, ends)


def _certificates(
    plan: Plan, node: NodePlan, secrets: ClusterSecrets, kubelet_client: Subject
) -> tuple[NodeFile, ...]:
    etcd_names = ("localhost", node.name)
    etcd_addresses = (node.internal_address, LOOPBACK)
    cluster, front_proxy, etcd = secrets.authority, secrets.front_proxy_authority, secrets.etcd_authority
    etcd_member = Subject(node.name, dns_names=etcd_names, addresses=etcd_addresses, client=True, server=True)
    pairs = {
        f"{PKI}/ca": cluster,
        f"{PKI}/front-proxy-ca": front_proxy,
        f"{PKI}/etcd/ca": etcd,
        f"{PKI}/apiserver": api_server_certificate(plan, secrets),
        f"{PKI}/apiserver-kubelet-client": issue(cluster, kubelet_client),
        f"{PKI}/front-proxy-client": issue(front_proxy, Subject("front-proxy-client", client=True)),
        f"{PKI}/etcd/server": issue(etcd, etcd_member),
        f"{PKI}/etcd/peer": issue(etcd, etcd_member),
        f"{PKI}/etcd/healthcheck-client": issue(
            etcd, Subject("kube-etcd-healthcheck-client", (ADMINS,), client=True)
        ),
        f"{PKI}/apiserver-etcd-client": issue(
            etcd, Subject("kube-apiserver-etcd-client", (ADMINS,), client=True)
        ),
    }
    return tuple(file for stem, pair in pairs.items() for file in _pair_files(stem, pair))


def _service_account_files(secrets: ClusterSecrets) -> tuple[NodeFile, ...]:
    return (
        NodeFile(f"{PKI}/sa.key", secrets.service_account_key, SECRET_MODE),
        NodeFile(f"{PKI}/sa.pub", public_half(secrets.service_account_key)),
    )


def _kubeconfigs(plan: Plan, node: NodePlan, secrets: ClusterSecrets) -> tuple[NodeFile, ...]:
    users = {
        "admin": Subject("kubernetes-admin", (ADMINS,), client=True),
        "controller-manager": Subject("system:kube-controller-manager", client=True),
        "scheduler": Subject("system:kube-scheduler", client=True),
        "kubelet": _kubelet(node),
    }
    return tuple(
        kubeconfig_file(f"/etc/kubernetes/{name}.conf", plan, secrets, subject)
        for name, subject in users.items()
    )


def _kubelet(node: NodePlan) -> Subject:
    return Subject(f"system:node:{node.name}", ("system:nodes",), client=True)


def kubeconfig_file(path: str, plan: Plan, secrets: ClusterSecrets, subject: Subject) -> NodeFile:
    """For a program on a node: the API as nodes reach it, and a new certificate of its own."""
    return NodeFile(path, _kubeconfig(plan.api_on_nodes, secrets, subject), SECRET_MODE)


def _server(node: NodePlan) -> str:
    return ApiEndpoint((node.internal_address,), API_PORT, ()).url


def _kubeconfig(
    api: ApiEndpoint, secrets: ClusterSecrets, subject: Subject, others: Mapping[str, str] | None = None
) -> str:
    """`others` are URLs by the names of contexts that are there beside the current one."""
    pair = issue(secrets.authority, subject)
    cluster, user = "kubernetes", subject.common_name
    context = f"{user}@{cluster}"
    # By context: a name of a cluster, and its URL. No node has a name with an @.
    servers = {context: (cluster, api.url)}
    servers |= {name: (f"{cluster}@{name}", url) for name, url in (others or {}).items()}
    trusted = {"certificate-authority-data": _base64(secrets.authority.certificate)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": url, **trusted}} for name, url in servers.values()],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": _base64(pair.certificate),
                    "client-key-data": _base64(pair.key),
                },
            }
        ],
        "contexts": [
            {"name": name, "context": {"cluster": where, "user": user}}
            for name, (where, _) in servers.items()
        ],
        "current-context": context,
    }
    return yaml.safe_dump(document, sort_keys=False, width=10_000)


def _pair_files(stem: str, pair: KeyPair) -> tuple[NodeFile, ...]:
    return NodeFile(f"{stem}.crt", pair.certificate), NodeFile(f"{stem}.key", pair.key, SECRET_MODE)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
