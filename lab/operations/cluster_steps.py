"""The steps of `lab up` in which nodes become a cluster."""

from __future__ import annotations

from lab.cluster.balancer import balancers_started, start_balancers
from lab.cluster.credentials import admin_kubeconfig
from lab.cluster.kubeadm import init_control_plane, is_member, join_control_planes, join_workers
from lab.cluster.readiness import wait_serving
from lab.foundation.files import write_atomically
from lab.foundation.progress import StepContext
from lab.foundation.wait import Deadline
from lab.operations.context import Lab
from lab.topology.plan import NodePlan

SERVING_LIMIT = 1200.0
"""Seconds; an idle machine without KVM needs about a tenth of them."""


class Balancers:
    """What leads to an API server that works, where there are several."""

    key = "load-balancer"
    name = "load balancer of the API"

    def done(self, lab: Lab) -> bool:
        return lab.plan.load_balancer is None or balancers_started(
            lab.nodes, lab.tuning, lab.secrets.authority.certificate
        )

    def run(self, lab: Lab, at: StepContext) -> None:
        start_balancers(lab.nodes, lab.tuning, lab.secrets.authority.certificate, at)


class InitControlPlane:
    key = "init"
    name = "kubeadm init"

    def done(self, lab: Lab) -> bool:
        return lab.folder.kubeconfig.exists() and is_member(
            lab.nodes, lab.plan.first_control_plane, lab.membership
        )

    def run(self, lab: Lab, at: StepContext) -> None:
        init_control_plane(lab.nodes, lab.membership, at, lab.progress.note)
        write_atomically(lab.folder.kubeconfig, admin_kubeconfig(lab.plan, lab.membership.secrets), 0o600)
        wait_serving(lab.api, at, Deadline(SERVING_LIMIT))


class JoinControlPlanes:
    """The others, one after another."""

    key = "join-control-planes"
    name = "kubeadm join of the other control planes"

    def done(self, lab: Lab) -> bool:
        return _are_members(lab, lab.plan.other_control_planes)

    def run(self, lab: Lab, at: StepContext) -> None:
        join_control_planes(lab.nodes, lab.membership, at, lab.progress.note)


class JoinWorkers:
    key = "join-workers"
    name = "kubeadm join"

    def done(self, lab: Lab) -> bool:
        return _are_members(lab, lab.plan.workers)

    def run(self, lab: Lab, at: StepContext) -> None:
        join_workers(lab.nodes, lab.membership, at, lab.progress.note)


def _are_members(lab: Lab, nodes: tuple[NodePlan, ...]) -> bool:
    return all(lab.nodes.on_each(nodes, lambda node: is_member(lab.nodes, node, lab.membership)).values())
