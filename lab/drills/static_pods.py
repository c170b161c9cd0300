"""Drills of the programs on a control plane that kubelet runs: etcd and the API server."""

from __future__ import annotations

from lab.cluster.binaries.units import start_unit, stop_unit
from lab.cluster.kubeadm import STATIC_PODS
from lab.drills.drill import CANNOT_READ, Before, Course, Drill, Ground, nothing
from lab.drills.observation import Row
from lab.topology.plan import NodePlan

ASIDE = "/etc/kubernetes/lab/drill"
ETCD, API_SERVER = "etcd", "kube-apiserver"
ROUNDS = 20
"""Of half a second, in which a container that kubelet started once more is killed too."""

Nodes = tuple[NodePlan, ...]


def stop_static_pod(ground: Ground, node: NodePlan, name: str) -> None:
    """Kill the program at once, and let kubelet, or systemd where it is a unit, not start it again."""
    if ground.plan.from_binaries:
        ground.run(node, stop_unit(name), f"stop {name}")
        return
    script = f"""\
mkdir -p {ASIDE}
if [ -e {STATIC_PODS}/{name}.yaml ]; then mv {STATIC_PODS}/{name}.yaml {ASIDE}/; fi
kill_all() {{
  for comm in /proc/[0-9]*/comm; do
    read -r found 2>/dev/null <"$comm" || continue
    if [ "$found" = {name} ]; then kill -KILL "$(basename "${{comm%/comm}}")" 2>/dev/null || true; fi
  done
}}
kill_all
(for round in $(seq {ROUNDS}); do sleep 0.5; kill_all; done) </dev/null >/dev/null 2>&1 &
"""
    ground.run(node, script, f"stop {name}")


def start_static_pod(ground: Ground, node: NodePlan, name: str) -> None:
    """Let kubelet start it again, or systemd; returns before it has."""
    if ground.plan.from_binaries:
        ground.run(node, start_unit(name), f"start {name}")
        return
    script = f"if [ -e {ASIDE}/{name}.yaml ]; then mv {ASIDE}/{name}.yaml {STATIC_PODS}/; fi"
    ground.run(node, script, f"start {name}")


def _stop_api_server(ground: Ground, nodes: Nodes) -> None:
    for node in nodes:
        stop_static_pod(ground, node, API_SERVER)


def _start_api_server(ground: Ground, nodes: Nodes) -> None:
    for node in nodes:
        start_static_pod(ground, node, API_SERVER)


def _stop_etcd(ground: Ground, nodes: Nodes) -> None:
    ground.nodes.on_each(nodes, lambda node: stop_static_pod(ground, node, ETCD))


def _start_etcd(ground: Ground, nodes: Nodes) -> None:
    ground.nodes.on_each(nodes, lambda node: start_static_pod(ground, node, ETCD))


def _leader_goes_on(ground: Ground, nodes: Nodes) -> None:
    old, new = nodes
    ground.move_leader(old.name, new.name)


def _server_fails(row: Row, before: Before, nodes: Nodes) -> bool:
    return all(row.servers[node.name].failed for node in nodes)


def _etcd_fails(row: Row, before: Before, nodes: Nodes) -> bool:
    return all(row.members[node.name].failed for node in nodes)


def _quorum_fails(row: Row, before: Before, nodes: Nodes) -> bool:
    return _etcd_fails(row, before, nodes) and row.api.failed


def _leads_now(row: Row, before: Before, nodes: Nodes) -> bool:
    return row.leader is not None and row.leader[0] == nodes[1].name


def _leader_and_heir(before: Before) -> Nodes:
    return before.node(before.leader), before.others(before.leader)[0]


def _a_majority(before: Before) -> Nodes:
    """The leader first; as many as leave one too few."""
    order = (before.node(before.leader), *before.others(before.leader))
    return order[: len(order) // 2 + 1]


STATIC_POD_DRILLS = (
    Drill(
        "api-server",
        "the API server of the control plane with the API's address is killed, and stays away",
        aim=lambda before: (before.front,),
        injure=_stop_api_server,
        heal=_start_api_server,
        shows=_server_fails,
        detection=lambda configured: configured.refusing,
    ),
    Drill(
        "etcd-leader",
        "the member of etcd that leads is killed, and stays away",
        aim=lambda before: (before.node(before.leader),),
        injure=_stop_etcd,
        heal=_start_etcd,
        shows=_etcd_fails,
        detection=lambda configured: configured.member_gone,
        not_with_nginx=CANNOT_READ,
    ),
    Drill(
        "leader-moves",
        "etcd's leader hands its part to another member",
        aim=_leader_and_heir,
        injure=_leader_goes_on,
        heal=nothing,
        shows=_leads_now,
        detection=lambda configured: configured.election,
    ),
    Drill(
        "quorum",
        "so many members of etcd are killed that the others are no majority, and come back",
        aim=_a_majority,
        injure=_stop_etcd,
        heal=_start_etcd,
        shows=_quorum_fails,
        detection=lambda configured: configured.member_gone,
        course=Course.STAYS_OUT,
    ),
)
