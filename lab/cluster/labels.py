"""Labels of the topology, put on the Kubernetes nodes."""

from __future__ import annotations

from lab.cluster.api import ClusterApi
from lab.topology.plan import Plan


def label_nodes(api: ClusterApi, plan: Plan) -> None:
    """Put every node's labels from the topology on it; others stay. Raises ApiError for an unknown node."""
    for node in plan.nodes:
        if node.labels:
            api.label_node(node.name, node.labels)


def nodes_labelled(api: ClusterApi, plan: Plan) -> bool:
    """True when every node is there and has all its labels from the topology."""
    found = {node.name: dict(node.labels) for node in api.nodes()}
    return all(
        node.name in found and dict(node.labels).items() <= found[node.name].items() for node in plan.nodes
    )
