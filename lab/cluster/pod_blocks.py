"""The blocks of the pod CIDR that Kubernetes gave the nodes."""

from __future__ import annotations

from dataclasses import replace

from lab.cluster.api import ApiError, ClusterApi
from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.topology.plan import Plan


def with_pod_blocks(plan: Plan, api: ClusterApi, deadline: Deadline) -> Plan:
    """The plan with each node's block, as soon as all have one. Raises TimedOutError when one has none."""

    def blocks_given() -> Plan:
        given = {state.name: state.pod_block for state in api.nodes()}
        nodes = tuple(replace(node, pod_block=given.get(node.name)) for node in plan.nodes)
        missing = [node.name for node in nodes if node.pod_block is None]
        if missing:
            raise NotYetError(f"no block for {', '.join(missing)}")
        return replace(plan, nodes=nodes)

    return wait_for(
        blocks_given,
        what=f"every node has a block of {plan.kubernetes.pod_cidr}",
        deadline=deadline,
        retry_on=(ApiError,),
        resolution="`lab kubectl get pods -n kube-system` shows whether the controller manager works",
    )
