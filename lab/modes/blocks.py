"""What modes share that give each node a block of the pod CIDR and route between them without any daemon."""

from __future__ import annotations

from ipaddress import IPv4Network

from lab.topology.plan import NodePlan, Plan

Json = dict[str, object]


def block_of(node: NodePlan) -> IPv4Network:
    """The node's block of the pod CIDR."""
    assert node.pod_block is not None, "the mode says needs_pod_blocks"
    return node.pod_block


def host_local(node: NodePlan) -> Json:
    """host-local with the node's block: its first address is the gateway's, the others are the pods'."""
    return {
        "type": "host-local",
        "ranges": [[{"subnet": str(block_of(node))}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }


def routes_to_other_blocks(plan: Plan, node: NodePlan) -> str:
    """Bash lines: the way to each other node's block is that node.

    onlink: before systemd-networkd has given the NIC its address the kernel would refuse the gateway.
    """
    device = node.nic_on(plan.node_network).device
    routes = "\n".join(
        f"ip route replace {block_of(other)} via {other.internal_address} dev {device} onlink"
        for other in plan.nodes
        if other is not node
    )
    return f"ip link set {device} up\n{routes}\n"


def masquerade(plan: Plan, node: NodePlan) -> str:
    """Bash lines: what leaves pod network and node has the node's address, to which everybody knows a way."""
    return rule(f"-s {block_of(node)} ! -d {plan.kubernetes.pod_cidr} ! -o lo -j MASQUERADE")


def rule(words: str) -> str:
    """Bash lines that append a rule to the table nat's POSTROUTING, once."""
    iptables = "iptables --wait --table nat"
    return (
        f"{iptables} --check POSTROUTING {words} 2>/dev/null ||\n  {iptables} --append POSTROUTING {words}\n"
    )
