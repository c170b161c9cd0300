"""calico's programs as its manifest runs them: daemons on every node, the controllers once."""

from __future__ import annotations

from dataclasses import dataclass

from lab.cluster.api import Manifest
from lab.modes.calico.names import (
    CNI_FOLDER,
    CONTROLLER_PODS,
    CONTROLLERS,
    HEALTH_PORT,
    NODE,
    NODE_DAEMONS,
    Json,
)
from lab.modes.workloads import patient_probes, workload_manifest
from lab.topology.plan import Plan

OTHER_PLUGINS = ("bandwidth", "flannel", "host-local", "install", "loopback", "portmap", "tuning")
"""What calico's image would put into the nodes' folder of CNI plugins besides its own two."""


@dataclass(frozen=True)
class Images:
    """References of calico's images."""

    node: str
    cni: str
    controllers: str


def daemons(plan: Plan, images: Images, environment: dict[str, str], *, speaks_bgp: bool) -> Manifest:
    """On every node: first what puts the CNI plugin there, then Felix, and BIRD where it `speaks_bgp`.

    `environment` is what a mode tells the node's daemons. What calico's manifest has for eBPF and for
    upgrades is left out.
    """
    name = {"name": "NODENAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    api = {
        # The API by its endpoint, not by its service: no daemon waits for kube-proxy's first rules.
        "KUBERNETES_SERVICE_HOST": str(plan.api_on_nodes.address),
        "KUBERNETES_SERVICE_PORT": str(plan.api_on_nodes.port),
    }
    install: Json = {
        "name": "install-cni",
        "image": images.cni,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/opt/cni/bin/install"],
        "env": _environment(
            {
                **api,
                "CNI_NET_DIR": CNI_FOLDER,
                "SKIP_CNI_BINARIES": ",".join(OTHER_PLUGINS),
                "SLEEP": "false",
            }
        ),
        "securityContext": {"privileged": True},
        "volumeMounts": [
            {"name": "cni-plugins", "mountPath": "/host/opt/cni/bin"},
            {"name": "cni-folder", "mountPath": "/host/etc/cni/net.d"},
        ],
    }
    node: Json = {
        "name": NODE,
        "image": images.node,
        "imagePullPolicy": "IfNotPresent",
        "env": [name, *_environment({**api, **environment})],
        "resources": {"requests": {"cpu": "100m"}},
        "securityContext": {"privileged": True},
        **patient_probes({"httpGet": _health("/liveness")}),
        "readinessProbe": _readiness(speaks_bgp=speaks_bgp),
        "volumeMounts": [
            {"name": "cni-folder", "mountPath": "/host/etc/cni/net.d"},
            {"name": "modules", "mountPath": "/lib/modules", "readOnly": True},
            {"name": "xtables-lock", "mountPath": "/run/xtables.lock"},
            {"name": "run", "mountPath": "/var/run/calico"},
            {"name": "state", "mountPath": "/var/lib/calico"},
        ],
    }
    volumes: list[Json] = [
        _from_node("cni-plugins", "/opt/cni/bin", "DirectoryOrCreate"),
        _from_node("cni-folder", CNI_FOLDER, "DirectoryOrCreate"),
        _from_node("modules", "/lib/modules", "Directory"),
        _from_node("xtables-lock", "/run/xtables.lock", "FileOrCreate"),
        _from_node("run", "/var/run/calico", "DirectoryOrCreate"),
        _from_node("state", "/var/lib/calico", "DirectoryOrCreate"),
    ]
    pod: Json = {
        "hostNetwork": True,
        "priorityClassName": "system-node-critical",
        "serviceAccountName": NODE,
        "terminationGracePeriodSeconds": 0,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists"}],
        "initContainers": [install],
        "containers": [node],
        "volumes": volumes,
    }
    return workload_manifest(NODE_DAEMONS, {"k8s-app": NODE}, pod)


def controllers(images: Images) -> Manifest:
    """What gives the addresses of nodes and pods back that are gone."""
    container: Json = {
        "name": CONTROLLERS,
        "image": images.controllers,
        "imagePullPolicy": "IfNotPresent",
        "env": _environment({"ENABLED_CONTROLLERS": "node", "DATASTORE_TYPE": "kubernetes"}),
        "readinessProbe": {
            "exec": {"command": ["/usr/bin/check-status", "-r"]},
            "periodSeconds": 10,
            "timeoutSeconds": 10,
        },
    }
    pod: Json = {
        "priorityClassName": "system-cluster-critical",
        "serviceAccountName": CONTROLLERS,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [
            {"key": "CriticalAddonsOnly", "operator": "Exists"},
            {"key": "node-role.kubernetes.io/master", "effect": "NoSchedule"},
            {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
        ],
        "containers": [container],
    }
    spec: Json = {"replicas": 1, "strategy": {"type": "Recreate"}}
    return workload_manifest(CONTROLLER_PODS, {"k8s-app": CONTROLLERS}, pod, spec=spec)


def _readiness(*, speaks_bgp: bool) -> Json:
    """Felix answers by HTTP; only a program that is started for it asks BIRD for its sessions.

    To start that program takes two seconds of an emulated node's processor, so it is done less often than
    in calico's manifest, where it is every ten seconds.
    """
    if not speaks_bgp:
        return {"httpGet": _health("/readiness"), "periodSeconds": 10, "timeoutSeconds": 10}
    command = ["/bin/calico-node", "-felix-ready", "-bird-ready"]
    return {"exec": {"command": command}, "periodSeconds": 30, "timeoutSeconds": 10}


def _health(path: str) -> Json:
    return {"host": "127.0.0.1", "port": HEALTH_PORT, "path": path}


def _environment(values: dict[str, str]) -> list[Json]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _from_node(name: str, path: str, kind: str) -> Json:
    return {"name": name, "hostPath": {"path": path, "type": kind}}
