"""The pod networks: hybridnet's objects Network and Subnet, from the plan."""

from __future__ import annotations

from lab.cluster.api import Manifest
from lab.modes.hybridnet.names import UNDERLAY_LABEL, VXLAN_ID, Json
from lab.topology.plan import NetworkPlan, Plan

GROUP = "networking.alibaba.com/v1"
OVERLAY = "init"
UNDERLAY = "underlay-network1"


def overlay(plan: Plan) -> tuple[Manifest, ...]:
    """The overlay that the chart calls init: the pod CIDR, inside VXLAN."""
    addresses = {"version": "4", "cidr": str(plan.kubernetes.pod_cidr)}
    return (
        _object("Network", OVERLAY, {"netID": VXLAN_ID, "type": "Overlay"}),
        _object(
            "Subnet",
            OVERLAY,
            {"network": OVERLAY, "range": addresses, "config": {"autoNatOutgoing": True}},
        ),
    )


def underlay(network: NetworkPlan) -> tuple[Manifest, ...]:
    """The coursework's underlay network: the pod range, untagged, on the nodes that carry its label."""
    assert network.pod_range is not None, "Mode.check comes first"
    label, value = UNDERLAY_LABEL
    addresses = {
        "version": "4",
        "cidr": str(network.cidr),
        "gateway": str(network.host_address.ip),
        "start": str(network.pod_range.first),
        "end": str(network.pod_range.last),
    }
    return (
        _object("Network", UNDERLAY, {"netID": 0, "type": "Underlay", "nodeSelector": {label: value}}),
        _object("Subnet", UNDERLAY, {"network": UNDERLAY, "netID": 0, "range": addresses}),
    )


def object_path(plural: str, name: str) -> str:
    """Where the API has an object of hybridnet's, which belong to no namespace."""
    return f"/apis/{GROUP}/{plural}/{name}"


def _object(kind: str, name: str, spec: Json) -> Manifest:
    return {"apiVersion": GROUP, "kind": kind, "metadata": {"name": name}, "spec": spec}
