"""etcd, API server, controller manager and scheduler as units on a control plane."""

from __future__ import annotations

from lab.cluster.binaries.units import Unit, unit_of
from lab.cluster.binaries.work import Installation, Work
from lab.cluster.credentials import PKI
from lab.cluster.tuning import Part
from lab.topology.models import LoadBalancer
from lab.topology.plan import LOOPBACK, NodePlan
from lab.topology.planner import API_PORT

CLIENT_PORT, PEER_PORT = 2379, 2380
METRICS_PORT = 2381
CONTROLLER_MANAGER_PORT, SCHEDULER_PORT = 10257, 10259
NEW, EXISTING = "new", "existing"
"""Of etcd's cluster when a member is first started."""
ETCD_DATA = "/var/lib/etcd"
KUBERNETES = "/etc/kubernetes"
ASK = "curl --silent --show-error --fail --max-time 20"
REQUEST_HEADER_AUTHORITY = f"{PKI}/front-proxy-ca.crt"


def etcd(of: Installation, node: NodePlan, state: str = NEW) -> Work:
    """A member; all members are started at once, as none is healthy before most of them are there.

    One in the state `EXISTING` joins the others, which have been told of it.
    """
    client = f"--cacert {PKI}/etcd/ca.crt --cert {PKI}/etcd/healthcheck-client.crt"
    key = f"{PKI}/etcd/healthcheck-client.key"
    health = f"{ASK} {client} --key {key} https://{LOOPBACK}:{CLIENT_PORT}/health"
    return Work(
        files=(etcd_unit(of, node, state).file,),
        start=f"mkdir -p --mode=0700 {ETCD_DATA}\n",
        units=(Part.ETCD,),
        check=(health,),
    )


def etcd_unit(of: Installation, node: NodePlan, state: str = NEW) -> Unit:
    address, pki = node.internal_address, f"{PKI}/etcd"
    members = [f"{each.name}=https://{each.internal_address}:{PEER_PORT}" for each in of.plan.control_planes]
    own_peer = f"https://{address}:{PEER_PORT}"
    arguments = {
        "name": node.name,
        "data-dir": ETCD_DATA,
        "listen-client-urls": f"https://{LOOPBACK}:{CLIENT_PORT},https://{address}:{CLIENT_PORT}",
        "advertise-client-urls": f"https://{address}:{CLIENT_PORT}",
        "listen-peer-urls": own_peer,
        "initial-advertise-peer-urls": own_peer,
        "initial-cluster": ",".join(members),
        "initial-cluster-state": state,
        "listen-metrics-urls": f"http://{LOOPBACK}:{METRICS_PORT}",
        "snapshot-count": "10000",
        "client-cert-auth": "true",
        "trusted-ca-file": f"{pki}/ca.crt",
        "cert-file": f"{pki}/server.crt",
        "key-file": f"{pki}/server.key",
        "peer-client-cert-auth": "true",
        "peer-trusted-ca-file": f"{pki}/ca.crt",
        "peer-cert-file": f"{pki}/peer.crt",
        "peer-key-file": f"{pki}/peer.key",
    }
    return unit_of(Part.ETCD, "etcd, where Kubernetes keeps its objects", arguments, of.membership.settings)


def api_server(of: Installation, node: NodePlan) -> Work:
    ready = f"{ASK} --cacert {PKI}/ca.crt https://{node.internal_address}:{API_PORT}/readyz"
    return Work(files=(api_server_unit(of, node).file,), units=(Part.API_SERVER,), check=(ready,))


def api_server_unit(of: Installation, node: NodePlan) -> Unit:
    """It asks the etcd beside it, as kubeadm's does: without that one it is not ready, and out of use."""
    kubernetes = of.plan.kubernetes
    arguments = {
        "advertise-address": str(node.internal_address),
        "allow-privileged": "true",
        "authorization-mode": "Node,RBAC",
        "client-ca-file": f"{PKI}/ca.crt",
        "enable-admission-plugins": "NodeRestriction",
        "enable-bootstrap-token-auth": "true",
        "etcd-cafile": f"{PKI}/etcd/ca.crt",
        "etcd-certfile": f"{PKI}/apiserver-etcd-client.crt",
        "etcd-keyfile": f"{PKI}/apiserver-etcd-client.key",
        "etcd-servers": f"https://{LOOPBACK}:{CLIENT_PORT}",
        "kubelet-client-certificate": f"{PKI}/apiserver-kubelet-client.crt",
        "kubelet-client-key": f"{PKI}/apiserver-kubelet-client.key",
        "kubelet-preferred-address-types": "InternalIP,ExternalIP,Hostname",
        "proxy-client-cert-file": f"{PKI}/front-proxy-client.crt",
        "proxy-client-key-file": f"{PKI}/front-proxy-client.key",
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-client-ca-file": REQUEST_HEADER_AUTHORITY,
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-username-headers": "X-Remote-User",
        "secure-port": str(API_PORT),
        "service-account-issuer": f"https://kubernetes.default.svc.{kubernetes.dns_domain}",
        "service-account-key-file": f"{PKI}/sa.pub",
        "service-account-signing-key-file": f"{PKI}/sa.key",
        "service-cluster-ip-range": str(kubernetes.service_cidr),
        "tls-cert-file": f"{PKI}/apiserver.crt",
        "tls-private-key-file": f"{PKI}/apiserver.key",
    }
    if of.plan.load_balancer is LoadBalancer.LOCAL_NGINX:
        # nginx has the port on loopback.
        arguments["bind-address"] = str(node.internal_address)
    settings = of.membership.settings
    return unit_of(Part.API_SERVER, "Kubernetes API server", arguments, settings, Part.ETCD)


def controllers(of: Installation, node: NodePlan) -> Work:
    """What they serve their health with may be a certificate that each made for itself at its start."""
    ports = (CONTROLLER_MANAGER_PORT, SCHEDULER_PORT)
    return Work(
        files=(controller_manager_unit(of).file, scheduler_unit(of).file),
        units=(Part.CONTROLLER_MANAGER, Part.SCHEDULER),
        check=tuple(f"{ASK} --insecure https://{LOOPBACK}:{port}/healthz" for port in ports),
    )


def controller_manager_unit(of: Installation) -> Unit:
    kubernetes, kubeconfig = of.plan.kubernetes, f"{KUBERNETES}/controller-manager.conf"
    arguments = {
        "allocate-node-cidrs": "true",
        "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "bind-address": str(LOOPBACK),
        "client-ca-file": f"{PKI}/ca.crt",
        "cluster-cidr": str(kubernetes.pod_cidr),
        "cluster-name": "kubernetes",
        "cluster-signing-cert-file": f"{PKI}/ca.crt",
        "cluster-signing-key-file": f"{PKI}/ca.key",
        "controllers": "*,bootstrapsigner,tokencleaner",
        "kubeconfig": kubeconfig,
        "leader-elect": "true",
        "requestheader-client-ca-file": REQUEST_HEADER_AUTHORITY,
        "root-ca-file": f"{PKI}/ca.crt",
        "service-account-private-key-file": f"{PKI}/sa.key",
        "service-cluster-ip-range": str(kubernetes.service_cidr),
        "use-service-account-credentials": "true",
    }
    settings = of.membership.settings
    return unit_of(Part.CONTROLLER_MANAGER, "Kubernetes controller manager", arguments, settings)


def scheduler_unit(of: Installation) -> Unit:
    kubeconfig = f"{KUBERNETES}/scheduler.conf"
    arguments = {
        "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "bind-address": str(LOOPBACK),
        "kubeconfig": kubeconfig,
        "leader-elect": "true",
    }
    return unit_of(Part.SCHEDULER, "Kubernetes scheduler", arguments, of.membership.settings)
