"""The manifests of the suite's own pods and Services."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from acceptance.expectations import Expectations
from acceptance.inventory import Inventory

NAMESPACE = "lab-acceptance"
CROWD_NAMESPACES = (f"{NAMESPACE}-y", f"{NAMESPACE}-z")
"""Where the crowd's pods are, half of them in each."""
HTTP_PORT = 8080
UDP_PORT = 8081
HOST_PORT = 18082
"""The `hostPort` of the first group's probe on the node of the backend. It takes the port from the node,
whose own netexec has the two before it."""
SERVICE_HTTP_PORT = 80
SERVICE_UDP_PORT = 81
BACKEND = "backend"
"""The Service, and the Deployment with one pod behind it."""
HEADLESS = "probes"
AT_ONCE = 10
"""How many pods of the first group are started at once, and asked for their names."""
CROWD_APP = "crowd"
"""The label `app` of those that are there for this only."""


def probe_name(node: str, group: str = "") -> str:
    return f"probe-{group}-{node}" if group else f"probe-{node}"


@dataclass(frozen=True)
class Manifests:
    """What is put on one lab in one mode."""

    inventory: Inventory
    expectations: Expectations

    def probe(self, node: str, of_group: Expectations) -> dict[str, Any]:
        """The pod of a group on a node that asks and is asked."""
        spec = self._asked_by_kubelet(node)
        asked = node == self.inventory.backend_node.name and of_group is self.expectations
        if asked and self.inventory.lan_host is not None:
            spec["containers"][0]["ports"] = [{"containerPort": HTTP_PORT, "hostPort": HOST_PORT}]
        return self._pod(probe_name(node, of_group.group), HEADLESS, of_group, spec)

    @property
    def crowd_names(self) -> tuple[str, ...]:
        """The pods that make the first group's probes and the backend `AT_ONCE`."""
        return tuple(f"crowd-{number}" for number in range(AT_ONCE - len(self.inventory.nodes) - 1))

    def crowd(self) -> list[dict[str, Any]]:
        """Pods of the first group, spread over all nodes; kubelet does not ask them, the suite does."""
        nodes, names = self.inventory.nodes, self.crowd_names
        pods = [
            self._pod(name, CROWD_APP, self.expectations, self._spec(nodes[number % len(nodes)].name))
            for number, name in enumerate(names)
        ]
        for number, pod in enumerate(pods):
            pod["metadata"]["namespace"] = CROWD_NAMESPACES[2 * number // len(names)]
        return pods

    def backend(self) -> dict[str, Any]:
        """The Deployment behind the Service."""
        labels = {"app": BACKEND, "role": BACKEND}
        template = {
            "metadata": {"labels": labels, "annotations": self.expectations.pods.annotations},
            "spec": self._asked_by_kubelet(self.inventory.backend_node.name),
        }
        return {
            "metadata": {"name": BACKEND},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
        }

    @staticmethod
    def _pod(name: str, app: str, of_group: Expectations, spec: dict[str, Any]) -> dict[str, Any]:
        labels = {"app": app, "role": name}
        metadata = {"name": name, "labels": labels, "annotations": of_group.pods.annotations}
        return {"metadata": metadata, "spec": spec}

    def _asked_by_kubelet(self, node: str) -> dict[str, Any]:
        """With a readiness probe, where kubelet reaches the pods of its node."""
        spec = self._spec(node)
        if self.expectations.ready:
            spec["containers"][0]["readinessProbe"] = {
                "httpGet": {"path": "/healthz", "port": HTTP_PORT},
                "periodSeconds": 2,
                "timeoutSeconds": 30,
                "failureThreshold": 5,
            }
        return spec

    def _spec(self, node: str) -> dict[str, Any]:
        container = {
            "name": "netexec",
            "image": self.inventory.probe_image,
            "imagePullPolicy": "IfNotPresent",
            "args": ["netexec", f"--http-port={HTTP_PORT}", f"--udp-port={UDP_PORT}"],
        }
        return {
            "affinity": _only_on(node),
            "containers": [container],
            "tolerations": [{"operator": "Exists"}],
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
        }


def backend_service() -> dict[str, Any]:
    ports = [
        {"name": "http", "protocol": "TCP", "port": SERVICE_HTTP_PORT, "targetPort": HTTP_PORT},
        {"name": "udp", "protocol": "UDP", "port": SERVICE_UDP_PORT, "targetPort": UDP_PORT},
    ]
    return {
        "metadata": {"name": BACKEND},
        "spec": {"type": "NodePort", "selector": {"app": BACKEND}, "ports": ports},
    }


def headless_service() -> dict[str, Any]:
    ports = [{"name": "http", "protocol": "TCP", "port": HTTP_PORT}]
    return {
        "metadata": {"name": HEADLESS},
        "spec": {"clusterIP": "None", "selector": {"app": HEADLESS}, "ports": ports},
    }


def _only_on(node: str) -> dict[str, Any]:
    """Lets the scheduler take no other node, and wait where the mode has not marked the node yet."""
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    terms = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
