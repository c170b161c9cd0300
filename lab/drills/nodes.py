"""Drills of whole control planes: their address, their power, the network between two of them."""

from __future__ import annotations

from lab.drills.drill import CANNOT_READ, Before, Drill, Ground
from lab.drills.observation import Row
from lab.topology.plan import NodePlan

Nodes = tuple[NodePlan, ...]


def _kill_keepalived(ground: Ground, nodes: Nodes) -> None:
    """And take the address off the NIC: who is killed cannot do that, and would go on answering for it."""
    for node in nodes:
        device = node.nic_on(ground.plan.node_network).device
        address = f"{ground.plan.kubernetes.api.address}/32"
        script = f"""\
systemctl kill --kill-whom=all --signal=KILL keepalived.service
ip address delete {address} dev {device} 2>/dev/null || true
"""
        ground.run(node, script, "kill keepalived")


def _start_keepalived(ground: Ground, nodes: Nodes) -> None:
    for node in nodes:
        script = "systemctl reset-failed keepalived.service || true\nsystemctl start keepalived.service"
        ground.run(node, script, "start keepalived")


def _power_off(ground: Ground, nodes: Nodes) -> None:
    for node in nodes:
        ground.machines.power_off(node.name)


def _power_on(ground: Ground, nodes: Nodes) -> None:
    for node in nodes:
        ground.machines.power_on(node.name)


def _part(ground: Ground, nodes: Nodes) -> None:
    ground.nodes.on_each(nodes, lambda node: _run_rule(ground, node, _other(node, nodes), put=True))


def _join(ground: Ground, nodes: Nodes) -> None:
    ground.nodes.on_each(nodes, lambda node: _run_rule(ground, node, _other(node, nodes), put=False))


def _other(node: NodePlan, nodes: Nodes) -> NodePlan:
    first, second = nodes
    return second if node.name == first.name else first


def _run_rule(ground: Ground, node: NodePlan, other: NodePlan, *, put: bool) -> None:
    """All IP of the other, what it wraps for pods too; ARP goes through."""
    rule = f"INPUT -s {other.internal_address} -j DROP"
    if put:
        script = f"iptables --wait -C {rule} 2>/dev/null || iptables --wait -I {rule}"
    else:
        script = f"while iptables --wait -C {rule} 2>/dev/null; do iptables --wait -D {rule}; done"
    ground.run(node, script, f"{'drop' if put else 'take'} what comes from {other.name}")


def _has_not_the_address(row: Row, before: Before, nodes: Nodes) -> bool:
    return row.holders is not None and not row.holders & {node.name for node in nodes}


def _etcd_is_away(row: Row, before: Before, nodes: Nodes) -> bool:
    return all(row.members[node.name].failed for node in nodes)


def _follows_nobody_or_both_hold(row: Row, before: Before, nodes: Nodes) -> bool:
    """The one that cannot hear etcd's leader knows none, or both have the API's address."""
    both = row.holders is not None and {node.name for node in nodes} <= row.holders
    deaf = any(
        (sight := row.members[node.name]).failed or (sight.value is not None and not sight.value.leader)
        for node in nodes
    )
    return both or deaf


def _leader_and_another(before: Before) -> Nodes:
    """etcd's leader, and the holder of the address where that is another."""
    if before.holder != before.leader:
        return before.node(before.leader), before.node(before.holder)
    return before.node(before.leader), before.others(before.leader)[0]


NODE_DRILLS = (
    Drill(
        "address-holder",
        "keepalived is killed on the control plane that has the API's address",
        aim=lambda before: (before.node(before.holder),),
        injure=_kill_keepalived,
        heal=_start_keepalived,
        shows=_has_not_the_address,
        detection=lambda configured: configured.takeover,
        not_with_nginx="the API has no address that moves",
    ),
    Drill(
        "power-off",
        "the control plane that has the API's address, or else etcd's leader, loses its power",
        aim=lambda before: (before.front,),
        injure=_power_off,
        heal=_power_on,
        shows=_etcd_is_away,
        detection=lambda configured: configured.node_gone,
        takes_nodes=True,
    ),
    Drill(
        "partition",
        "two control planes, one with etcd's leader, do not hear each other any more",
        aim=_leader_and_another,
        injure=_part,
        heal=_join,
        shows=_follows_nobody_or_both_hold,
        detection=lambda configured: configured.node_gone,
        splits=True,
        not_with_nginx=CANNOT_READ,
    ),
)
