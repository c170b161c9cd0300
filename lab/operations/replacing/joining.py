"""A new machine in the place of a control plane that is gone: from an empty disk to a part of the cluster."""

from __future__ import annotations

from dataclasses import replace

from lab.cluster.balancer import balancer_script, balancing_nodes
from lab.cluster.binaries.control_plane import EXISTING, etcd
from lab.cluster.binaries.work import Installation, Work
from lab.cluster.kubeadm import join_script, run_kubeadm
from lab.foundation.progress import StepContext
from lab.foundation.wait import Deadline
from lab.nodes.prepare import node_script
from lab.operations.binary_steps import (
    API_SERVERS,
    CERTIFICATES,
    CONTROLLERS,
    ETCD,
    KUBELETS,
    PROGRAMS,
    PROXIES,
    OnNodes,
    finish_joining,
)
from lab.operations.context import Lab
from lab.operations.etcd_members import EtcdMembers
from lab.operations.own_keys import give_keys
from lab.operations.up_steps import BOOT_LIMIT
from lab.topology.plan import NodePlan


def make_machine(lab: Lab, node: NodePlan, at: StepContext) -> None:
    """Of the same name and plan, with a disk on which nothing is but the box. Raises LabError."""
    lab.nodes[node.name].close()
    at.doing("an empty disk")
    lab.machines.make_anew(node.name)
    at.doing("it boots")
    give_keys(lab, BOOT_LIMIT)
    lab.nodes[node.name].wait_until_answers(Deadline(BOOT_LIMIT), at.doing)
    lab.nodes[node.name].run(node_script(lab.plan, node, lab.node_needs))


def join(lab: Lab, node: NodePlan, at: StepContext) -> None:
    """Let it become a control plane beside the others. Raises LabError."""
    if lab.plan.from_binaries:
        _from_binaries(lab, node, at)
        return
    _balance(lab, node)
    script = join_script(lab.nodes, node, lab.membership)
    run_kubeadm(lab.nodes, node, script, at, lab.progress.note)


def _balance(lab: Lab, node: NodePlan) -> None:
    if node in balancing_nodes(lab.plan):
        authority = lab.secrets.authority.certificate
        lab.nodes[node.name].run(balancer_script(lab.plan, node, lab.tuning, authority))


def _from_binaries(lab: Lab, node: NodePlan, at: StepContext) -> None:
    other = lab.plan.without(node).first_control_plane
    for step in (CERTIFICATES, PROGRAMS):
        step.run_on(lab, (node,), at)
    EtcdMembers(lab).add(node, other)
    replace(ETCD, work=_joining_etcd).run_on(lab, (node,), at)
    _balance(lab, node)
    rest: tuple[OnNodes, ...] = (API_SERVERS, CONTROLLERS, KUBELETS)
    for step in (*rest, *((PROXIES,) if PROXIES.nodes(lab) else ())):
        step.run_on(lab, (node,), at)
    finish_joining(lab, at)


def _joining_etcd(of: Installation, node: NodePlan) -> Work:
    return etcd(of, node, EXISTING)
