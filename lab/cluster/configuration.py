"""kubeadm's configuration files, rendered from the plan for the API that the version's kubeadm has."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

import yaml

from lab.cluster.credentials import COMPONENT_KEY, api_server_addresses, api_server_names
from lab.cluster.pki import discovery_hash
from lab.cluster.proxy import proxy_documents
from lab.cluster.secrets import ClusterSecrets
from lab.cluster.tuning import STATIC_PODS, Kind, Part, Settings
from lab.nodes.files import NodeFile
from lab.nodes.runtimes import ContainerRuntime
from lab.supply.catalogue import KubeadmApi
from lab.supply.software import REGISTRY
from lab.topology.models import LoadBalancer, NodeRole
from lab.topology.plan import NodePlan, Plan
from lab.topology.planner import API_PORT

LAB = "/etc/kubernetes/lab"
PATCHES = f"{LAB}/patches"
JOIN_LIMIT = "10m0s"
"""How long `kubeadm join` may wait for the API server: workers join while it starts."""
DNS_PATCH = f"{LAB}/coredns.yaml"
CERTIFICATE_ARGUMENT = "tls-cert-file"

Document = Mapping[str, Any]


def init_configuration(
    plan: Plan, runtime: ContainerRuntime, secrets: ClusterSecrets, settings: Settings
) -> str:
    """What `kubeadm init --config` reads: the cluster, and its first control plane node."""
    node = plan.first_control_plane
    init = {
        "apiVersion": settings.features.kubeadm_api.value,
        "kind": "InitConfiguration",
        "bootstrapTokens": [
            {
                "token": secrets.token,
                "ttl": "0s",
                "usages": ["signing", "authentication"],
                "groups": ["system:bootstrappers:kubeadm:default-node-token"],
            }
        ],
        "localAPIEndpoint": _listening(node),
        "nodeRegistration": _registration(node, runtime, settings),
        **_patches(plan, node, settings),
        **_timeouts(settings),
    }
    proxy = proxy_documents(plan, settings.features)
    return _documents(init, _cluster(plan, settings), _kubelet(settings), *proxy)


def join_configuration(
    plan: Plan, node: NodePlan, runtime: ContainerRuntime, secrets: ClusterSecrets, settings: Settings
) -> str:
    """What `kubeadm join --config` reads on a worker, or on a control plane that is not the first."""
    limits_apart = _has_timeouts(settings)
    discovery = {
        "bootstrapToken": {
            "token": secrets.token,
            "apiServerEndpoint": plan.api_on_nodes.authority,
            "caCertHashes": [discovery_hash(secrets.authority.certificate)],
        },
        **({} if limits_apart else {"timeout": JOIN_LIMIT}),
        "tlsBootstrapToken": secrets.token,
    }
    return _documents(
        {
            "apiVersion": settings.features.kubeadm_api.value,
            "kind": "JoinConfiguration",
            "discovery": discovery,
            "nodeRegistration": _registration(node, runtime, settings),
            **(_hosting(plan, node, settings) if node.role is NodeRole.CONTROL_PLANE else {}),
            **_timeouts(settings, discovery=JOIN_LIMIT, tlsBootstrap=JOIN_LIMIT),
        }
    )


def _hosting(plan: Plan, node: NodePlan, settings: Settings) -> Document:
    return {"controlPlane": {"localAPIEndpoint": _listening(node)}, **_patches(plan, node, settings)}


def _listening(node: NodePlan) -> Document:
    return {"advertiseAddress": str(node.internal_address), "bindPort": API_PORT}


def _patches(plan: Plan, node: NodePlan, settings: Settings) -> Document:
    patched = control_plane_patches(settings) or own_patches(plan, node)
    return {"patches": {"directory": PATCHES}} if patched else {}


def own_patches(plan: Plan, node: NodePlan) -> tuple[NodeFile, ...]:
    """Changes to static pods of that control plane alone.

    Where nginx has the port on loopback, the API server listens at the node's address only.
    """
    if plan.load_balancer is not LoadBalancer.LOCAL_NGINX:
        return ()
    argument = f"--bind-address={node.internal_address}"
    patch = [{"op": "add", "path": "/spec/containers/0/command/-", "value": argument}]
    return (NodeFile(f"{PATCHES}/{Part.API_SERVER}-address+json.yaml", yaml.safe_dump(patch)),)


def control_plane_patches(settings: Settings) -> tuple[NodeFile, ...]:
    """Changes to kubeadm's static pods that its configuration has no word for: environment and probes."""
    containers = {part: _container(part, settings) for part in STATIC_PODS}
    return tuple(
        NodeFile(
            f"{PATCHES}/{part}+strategic.yaml",
            _documents({"spec": {"containers": [{"name": part.value, **container}]}}),
        )
        for part, container in containers.items()
        if container
    )


def dns_patch(settings: Settings) -> NodeFile | None:
    """For `kubectl patch`, where CoreDNS is set up differently."""
    container = _container(Part.COREDNS, settings)
    if not container:
        return None
    pod = {"spec": {"containers": [{"name": Part.COREDNS.value, **container}]}}
    return NodeFile(DNS_PATCH, _documents({"spec": {"template": pod}}))


def _container(part: Part, settings: Settings) -> dict[str, Any]:
    """What of a container differs, as a strategic merge patch has it."""
    environment = [
        {"name": name, "value": value} for name, value in settings.of(part, Kind.ENVIRONMENT).items()
    ]
    return {**({"env": environment} if environment else {}), **settings.of(part, Kind.PROBE)}


def _cluster(plan: Plan, settings: Settings) -> Document:
    kubernetes = plan.kubernetes
    names = [*api_server_names(plan), *map(str, api_server_addresses(plan))]
    return {
        "apiVersion": settings.features.kubeadm_api.value,
        "kind": "ClusterConfiguration",
        "clusterName": "kubernetes",
        "kubernetesVersion": kubernetes.version,
        **({"controlPlaneEndpoint": plan.api_on_nodes.authority} if plan.load_balancer else {}),
        "imageRepository": REGISTRY,
        "networking": {
            "podSubnet": str(kubernetes.pod_cidr),
            "serviceSubnet": str(kubernetes.service_cidr),
            "dnsDomain": kubernetes.dns_domain,
        },
        "apiServer": {
            "certSANs": names,
            **({} if _has_timeouts(settings) else settings.of(Part.KUBEADM, Kind.CONFIGURATION)),
            **_arguments(Part.API_SERVER, settings),
        },
        "controllerManager": _component(Part.CONTROLLER_MANAGER, settings),
        "scheduler": _component(Part.SCHEDULER, settings),
        "etcd": {"local": _arguments(Part.ETCD, settings)},
    }


def _has_timeouts(settings: Settings) -> bool:
    return settings.features.kubeadm_api is not KubeadmApi.V1BETA3


def _timeouts(settings: Settings, **more: str) -> Document:
    """All limits of time, for an API that has them in one place; nothing for another."""
    timeouts = {**settings.of(Part.KUBEADM, Kind.CONFIGURATION), **more}
    return {"timeouts": timeouts} if timeouts and _has_timeouts(settings) else {}


def _arguments(part: Part, settings: Settings) -> Document:
    arguments = settings.of(part, Kind.ARGUMENT)
    return {"extraArgs": _words(arguments, settings)} if arguments else {}


def _words(arguments: Mapping[str, str], settings: Settings) -> Mapping[str, str] | list[Document]:
    """A program's arguments in the form of the API."""
    if settings.features.kubeadm_api is KubeadmApi.V1BETA3:
        return arguments
    return [{"name": name, "value": value} for name, value in arguments.items()]


def _component(part: Part, settings: Settings) -> Document:
    arguments = _arguments(part, settings)
    if CERTIFICATE_ARGUMENT not in settings.of(part, Kind.ARGUMENT):
        return arguments
    folder = posixpath.dirname(COMPONENT_KEY)
    volume = {"name": "serving", "hostPath": folder, "mountPath": folder, "readOnly": True}
    return {**arguments, "extraVolumes": [{**volume, "pathType": "Directory"}]}


def _kubelet(settings: Settings) -> Document:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "systemd",
        "resolvConf": "/etc/resolv.conf",
        "rotateCertificates": True,
        **settings.of(Part.KUBELET, Kind.CONFIGURATION),
    }


def _registration(node: NodePlan, runtime: ContainerRuntime, settings: Settings) -> Document:
    registration: dict[str, Any] = {
        "name": node.name,
        "criSocket": runtime.cri_socket,
        "imagePullPolicy": "IfNotPresent",
        "kubeletExtraArgs": _words(
            {"node-ip": str(node.internal_address), **settings.of(Part.KUBELET, Kind.ARGUMENT)}, settings
        ),
    }
    if node.taints is not None:
        registration["taints"] = [
            {"key": taint.key, "value": taint.value, "effect": taint.effect} for taint in node.taints
        ]
    return registration


def _documents(*documents: Document) -> str:
    return yaml.safe_dump_all(documents, sort_keys=False, width=10_000)
