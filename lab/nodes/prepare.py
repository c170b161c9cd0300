"""From a booted box to a node that kubeadm can work on: one script per node, written from the plan."""

from __future__ import annotations

from dataclasses import dataclass

from lab.foundation.progress import StepContext
from lab.nodes.connection import Script
from lab.nodes.files import NodeFile, write_files
from lab.nodes.marks import has_mark, with_mark
from lab.nodes.pool import Nodes
from lab.nodes.runtimes import ContainerRuntime
from lab.topology.models import KubeProxy
from lab.topology.plan import NodePlan, Plan

MARK = "/etc/lab/prepared"
MODULES = ("overlay", "br_netfilter")
IPVS_MODULES = ("ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_sh", "nf_conntrack")
"""What kube-proxy looks for before it takes IPVS, and takes iptables where one is missing: v1.24's
pkg/util/ipvs, GetRequiredIPVSModules."""


@dataclass(frozen=True)
class NodeNeeds:
    """What all nodes must find in the box: the container runtime, and the images by their references."""

    runtime: ContainerRuntime
    images: tuple[str, ...]


def prepare_nodes(nodes: Nodes, needs: NodeNeeds, at: StepContext) -> None:
    """Names, addresses of each other, DNS, kernel settings and runtime, on all nodes at once.

    Raises LabError when a node lacks something that the box should have.
    """
    at.doing("names, kernel settings and container runtime")
    nodes.on_each(nodes.plan.nodes, lambda node: nodes[node.name].run(node_script(nodes.plan, node, needs)))


def nodes_prepared(nodes: Nodes, needs: NodeNeeds) -> bool:
    """True when every node has been prepared with what the plan says now."""

    def prepared(node: NodePlan) -> bool:
        return has_mark(nodes[node.name], _work(nodes.plan, node, needs), MARK)

    return all(nodes.on_each(nodes.plan.nodes, prepared).values())


def node_script(plan: Plan, node: NodePlan, needs: NodeNeeds) -> Script:
    """Everything one node needs, as one script. It may run again at any time before the cluster is made."""
    return Script(with_mark(_work(plan, node, needs), MARK), f"prepare {node.name}")


def _work(plan: Plan, node: NodePlan, needs: NodeNeeds) -> str:
    modules = (*MODULES, *(IPVS_MODULES if plan.kubernetes.kube_proxy is KubeProxy.IPVS else ()))
    files = (
        NodeFile("/etc/hostname", f"{node.name}\n"),
        NodeFile("/etc/hosts", hosts_file(plan)),
        NodeFile("/etc/resolv.conf", f"nameserver {plan.uplink.host_address.ip}\n"),
        NodeFile("/etc/modules-load.d/lab.conf", "".join(f"{module}\n" for module in modules)),
        NodeFile("/etc/sysctl.d/90-lab.conf", sysctl_file(node)),
    )
    return (
        write_files(files)
        + f"hostname {node.name}\n"
        + f"modprobe --all {' '.join(modules)}\n"
        + "sysctl --quiet --load=/etc/sysctl.d/90-lab.conf\n"
        + needs.runtime.preflight(needs.images)
    )


def hosts_file(plan: Plan) -> str:
    """No node maps its own name to a loopback address: kubelet would take that for its own."""
    nodes = "".join(f"{node.internal_address} {node.name}\n" for node in plan.nodes)
    return f"127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n{nodes}"


def sysctl_file(node: NodePlan) -> str:
    """Forwarding, bridged packets through iptables, and source checks that allow for several NICs.

    A node has several ways to the lab's networks, so replies may rightly come in by another NIC than the
    one that leads back: loose source checks (rp_filter 2, RFC 3704), never strict ones.
    """
    lines = [
        "net.ipv4.ip_forward = 1",
        "net.bridge.bridge-nf-call-iptables = 1",
        "net.bridge.bridge-nf-call-ip6tables = 1",
        "net.ipv4.conf.all.rp_filter = 0",
        "net.ipv4.conf.default.rp_filter = 0",
        *(f"net.ipv4.conf.{nic.device}.rp_filter = 2" for nic in node.nics),
        "fs.inotify.max_user_instances = 8192",
        "vm.overcommit_memory = 1",
        "kernel.panic = 10",
        "kernel.panic_on_oops = 1",
    ]
    return "".join(f"{line}\n" for line in lines)
