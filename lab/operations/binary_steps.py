"""The steps of `lab up` in which nodes become a cluster from binaries, in kubeasz's order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lab.cluster.api import ApiError
from lab.cluster.binaries.addons import control_planes_labelled, dns, label_control_planes, rights
from lab.cluster.binaries.certificates import certificates
from lab.cluster.binaries.control_plane import api_server, controllers, etcd
from lab.cluster.binaries.node import kube_proxy, kubelet
from lab.cluster.binaries.programs import programs
from lab.cluster.binaries.work import Installation, Work
from lab.cluster.credentials import admin_kubeconfig
from lab.cluster.readiness import COREDNS, wait_joined, wait_serving
from lab.foundation.files import write_atomically
from lab.foundation.progress import StepContext
from lab.foundation.wait import Deadline
from lab.operations.cluster_steps import SERVING_LIMIT
from lab.operations.context import Lab
from lab.topology.models import KubeProxy
from lab.topology.plan import NodePlan

WORK_LIMIT = 900.0
"""Seconds for one step on one node, longer than its own check waits."""
JOINING_LIMIT = 600.0

WorkOn = Callable[[Installation, NodePlan], Work]


@dataclass(frozen=True)
class OnNodes:
    """The same work on several nodes at once; done where its own check ends well on each of them."""

    key: str
    name: str
    work: WorkOn
    workers_too: bool = True

    def nodes(self, lab: Lab) -> tuple[NodePlan, ...]:
        return lab.plan.nodes if self.workers_too else lab.plan.control_planes

    def done(self, lab: Lab) -> bool:
        return all(self.seen(lab).values())

    def seen(self, lab: Lab) -> Mapping[str, bool]:
        """By node, whether the check ends well there."""
        # Made here and not by the threads: the secrets are made with it, once.
        of = lab.installation

        def well(node: NodePlan) -> bool:
            check = self.work(of, node).check_script(f"{self.name}: check")
            return lab.nodes[node.name].run(check, check=False).status == 0

        return lab.nodes.on_each(self.nodes(lab), well)

    def run(self, lab: Lab, at: StepContext) -> None:
        self.run_on(lab, self.nodes(lab), at)

    def run_on(self, lab: Lab, nodes: tuple[NodePlan, ...], at: StepContext) -> None:
        at.doing(f"on {', '.join(node.name for node in nodes)}")
        of = lab.installation

        def work(node: NodePlan) -> None:
            script = self.work(of, node).script(f"{self.name} on {node.name}")
            lab.nodes[node.name].run(script, timeout=WORK_LIMIT)

        lab.nodes.on_each(nodes, work)


@dataclass(frozen=True)
class ApiServers(OnNodes):
    """The first makes the roles that all have; the others find them when they start."""

    def done(self, lab: Lab) -> bool:
        return lab.folder.kubeconfig.exists() and super().done(lab)

    def run(self, lab: Lab, at: StepContext) -> None:
        self.run_on(lab, (lab.plan.first_control_plane,), at)
        if lab.plan.other_control_planes:
            self.run_on(lab, lab.plan.other_control_planes, at)
        write_atomically(lab.folder.kubeconfig, admin_kubeconfig(lab.plan, lab.membership.secrets), 0o600)
        wait_serving(lab.api, at, Deadline(SERVING_LIMIT))


@dataclass(frozen=True)
class Kubelets(OnNodes):
    """Until all nodes have joined, and the API server may ask kubelets."""

    def run(self, lab: Lab, at: StepContext) -> None:
        super().run(lab, at)
        finish_joining(lab, at)

    def done(self, lab: Lab) -> bool:
        try:
            return super().done(lab) and control_planes_labelled(lab.installation, lab.api)
        except ApiError:
            return False


def finish_joining(lab: Lab, at: StepContext) -> None:
    """Once kubelets run: all nodes are known, with their labels, and the API server may ask them."""
    wait_joined(lab.api, lab.plan, at, Deadline(JOINING_LIMIT))
    lab.api.apply(rights())
    label_control_planes(lab.installation, lab.api)


@dataclass(frozen=True)
class Proxies(OnNodes):
    """On no node where the topology wants none."""

    def nodes(self, lab: Lab) -> tuple[NodePlan, ...]:
        return () if lab.plan.kubernetes.kube_proxy is KubeProxy.NONE else lab.plan.nodes


class AddOns:
    """DNS. Its pods wait for the pod network, as those of kubeadm's do."""

    key = "add-ons"
    name = "add-ons: CoreDNS"

    def done(self, lab: Lab) -> bool:
        try:
            return lab.api.rollout(COREDNS) is not None
        except ApiError:
            return False

    def run(self, lab: Lab, at: StepContext) -> None:
        lab.api.apply(dns(lab.installation))


CERTIFICATES = OnNodes("certificates", "certificates and kubeconfigs", certificates)
PROGRAMS = OnNodes("binaries", "binaries, out of their images", programs)
ETCD = OnNodes("etcd", "etcd", etcd, workers_too=False)
API_SERVERS = ApiServers("api-server", "kube-apiserver", api_server, workers_too=False)
CONTROLLERS = OnNodes(
    "controllers", "kube-controller-manager, kube-scheduler", controllers, workers_too=False
)
KUBELETS = Kubelets("kubelet", "kubelet", kubelet)
PROXIES = Proxies("kube-proxy", "kube-proxy", kube_proxy)
