"""Faults of the cluster's objects."""

from __future__ import annotations

from lab.cluster.readiness import COREDNS
from lab.faults.fault import Before, Fault, Scope, Site
from lab.foundation.wait import NotYetError
from lab.modes.hybridnet import HYBRIDNET
from lab.modes.hybridnet.names import UNDERLAY_LABEL
from lab.modes.hybridnet.networks import UNDERLAY, object_path
from lab.modes.mode import Mode
from lab.topology.plan import NodePlan, Plan


def _replicas_before(site: Site, node: NodePlan) -> Before:
    return {"replicas": str(site.api.read(COREDNS.path)["spec"]["replicas"])}


def _no_dns(site: Site, node: NodePlan, before: Before) -> None:
    site.api.merge(COREDNS.path, {"spec": {"replicas": 0}})

    def gone() -> None:
        left = [pod.name for pod in site.api.pods(COREDNS.namespace) if COREDNS.owns(pod.name)]
        if left:
            raise NotYetError(f"{', '.join(left)} is still there")

    site.wait(gone, "the pods of CoreDNS are gone")


def _dns(site: Site, node: NodePlan, before: Before) -> None:
    # That its pods are ready is waited for with the rest of the cluster, as far as the mode lets them be.
    site.api.merge(COREDNS.path, {"spec": {"replicas": int(before["replicas"])}})


def _no_label_matters(plan: Plan, mode: Mode) -> str:
    return "" if mode.name == HYBRIDNET.name else "none of its pods depends on a label of the node"


def _take_label(site: Site, node: NodePlan, before: Before) -> None:
    site.api.label_node(node.name, {UNDERLAY_LABEL[0]: None})
    _wait_for_membership(site, node, member=False)


def _give_label(site: Site, node: NodePlan, before: Before) -> None:
    site.api.label_node(node.name, dict([UNDERLAY_LABEL]))
    _wait_for_membership(site, node, member=True)


def _wait_for_membership(site: Site, node: NodePlan, *, member: bool) -> None:
    """Wait until hybridnet's manager has taken the node into its underlay network, or out of it."""

    def settled() -> None:
        status = site.api.read(object_path("networks", UNDERLAY)).get("status") or {}
        if (node.name in (status.get("nodeList") or [])) is not member:
            raise NotYetError(f"{node.name} is {'not yet' if member else 'still'} in the network {UNDERLAY}")

    site.wait(settled, f"the network {UNDERLAY} {'has' if member else 'is without'} {node.name}")


CLUSTER_FAULTS = (
    Fault(
        "coredns-zero",
        "CoreDNS is scaled to zero",
        _no_dns,
        _dns,
        remember=_replicas_before,
        scope=Scope.CLUSTER,
    ),
    Fault(
        "label-missing",
        f"a node has lost the label {'='.join(UNDERLAY_LABEL)}: no node for its underlay pods",
        _take_label,
        _give_label,
        unfit=_no_label_matters,
    ),
)
