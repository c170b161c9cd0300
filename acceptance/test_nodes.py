"""The nodes: Ready, of the right version and runtime, on the right NIC, labelled and tainted as wanted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import testinfra
from testinfra.host import Host

from acceptance.cluster import ClusterNode, ClusterPod, Restart
from acceptance.evidence import Evidence
from acceptance.inventory import Inventory, Node, Taint
from acceptance.node_facts import NodeFacts
from acceptance.problems import Problem
from acceptance.report import SEEN, Record, causes
from acceptance.shell import SshConnections
from acceptance.workload import is_probed_system_pod

CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
MASTER = "node-role.kubernetes.io/master"
CONDITION_TAINTS = "node.kubernetes.io/"
"""Prefix of the taints Kubernetes itself puts on a node that is in trouble."""

RUNTIMES = {"containerd": ("containerd://", "containerd"), "cri-dockerd": ("docker://", "cri-docker")}
"""How a runtime calls itself in a node's status, and its systemd unit."""

AFTER_A_REBOOT = timedelta(minutes=3)
"""How long programs of the cluster may stop for lack of each other when all of a node starts at once."""

HostOf = Callable[[Node], Host]


@pytest.fixture(scope="session")
def host_of(ssh: SshConnections) -> HostOf:
    """The node as testinfra sees it, over the kept connection."""
    hosts: dict[str, Host] = {}

    def connect(node: Node) -> Host:
        if node.name not in hosts:
            hosts[node.name] = testinfra.get_host(f"ssh://{node.name}", ssh_config=str(ssh.config))
        return hosts[node.name]

    return connect


def _cluster_node(evidence: Evidence, node: Node) -> ClusterNode:
    if isinstance(evidence.cluster_nodes, Problem):
        pytest.fail(str(evidence.cluster_nodes), pytrace=False)
    if node.name not in evidence.cluster_nodes:
        known = ", ".join(evidence.cluster_nodes) or "none"
        pytest.fail(f"{node.name} has not joined the cluster; its nodes are: {known}", pytrace=False)
    return evidence.cluster_nodes[node.name]


def test_ready(node: Node, evidence: Evidence) -> None:
    seen = _cluster_node(evidence, node)
    if not seen.ready:
        pytest.fail(f"{node.name} is not Ready: {seen.not_ready_because}", pytrace=False)


def test_version(node: Node, evidence: Evidence, inventory: Inventory) -> None:
    assert _cluster_node(evidence, node).kubelet_version == inventory.kubernetes.version


def test_runtime(node: Node, evidence: Evidence, inventory: Inventory) -> None:
    scheme, _ = RUNTIMES[inventory.kubernetes.runtime]
    seen = _cluster_node(evidence, node).runtime_version
    assert seen.startswith(scheme), f"{node.name} runs {seen}, expected {inventory.kubernetes.runtime}"


def test_internal_address(node: Node, evidence: Evidence, host_of: HostOf) -> None:
    """The one address Kubernetes uses for the node, and it lies on the NIC it should lie on."""
    seen = _cluster_node(evidence, node).internal_addresses
    assert seen == (node.internal_address,), f"{node.name} is known to Kubernetes as {seen}"
    nic = next(nic for nic in node.nics if nic.address.ip == node.internal_address)
    device = evidence.expectations.data_path.node_device or nic.device
    addresses = host_of(node).interface(device).addresses
    assert str(node.internal_address) in addresses, f"{device} of {node.name} has {addresses}"


def test_labels(node: Node, evidence: Evidence) -> None:
    seen = _cluster_node(evidence, node).labels
    wanted = {**node.labels, **({CONTROL_PLANE: ""} if node.is_control_plane else {})}
    missing = {key: value for key, value in wanted.items() if seen.get(key) != value}
    assert not missing, f"{node.name} lacks the labels {missing}"
    if not node.is_control_plane:
        assert CONTROL_PLANE not in seen, f"{node.name} is a worker and labelled as control plane"


def test_taints(node: Node, evidence: Evidence, inventory: Inventory) -> None:
    taints = _cluster_node(evidence, node).taints
    seen = {taint for taint in taints if not taint.key.startswith(CONDITION_TAINTS)}
    wanted = set(node.taints) if node.taints is not None else _kubeadm_taints(node, inventory)
    assert seen == wanted, f"{node.name} has the taints {_listed(seen)}, expected {_listed(wanted)}"


def _kubeadm_taints(node: Node, inventory: Inventory) -> set[Taint]:
    """What kubeadm puts on a node by itself: 1.24 gave control planes the old taint beside the new one."""
    if not node.is_control_plane:
        return set()
    keys = [CONTROL_PLANE]
    if inventory.kubernetes.version.startswith("v1.24."):
        keys.append(MASTER)
    return {Taint(key=key, effect="NoSchedule") for key in keys}


def _listed(taints: set[Taint]) -> str:
    return ", ".join(sorted(map(str, taints))) or "none"


def test_units(node: Node, inventory: Inventory, host_of: HostOf) -> None:
    """kubelet and the container runtime run now and will after a reboot."""
    _, runtime = RUNTIMES[inventory.kubernetes.runtime]
    for unit in ("kubelet", runtime):
        service = host_of(node).service(unit)
        assert service.is_running, f"{unit} does not run on {node.name}"
        assert service.is_enabled, f"{unit} on {node.name} will not start after a reboot"


def test_kernel_settings(node: Node, host_of: HostOf) -> None:
    """The node forwards, and bridged packets pass its iptables."""
    host = host_of(node)
    for setting in ("net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables"):
        assert host.sysctl(setting) == 1, f"{setting} is not 1 on {node.name}"


def test_system_pods(evidence: Evidence) -> None:
    """Every pod of the cluster itself that can be Ready in this mode is."""
    if isinstance(evidence.all_pods, Problem):
        pytest.fail(str(evidence.all_pods), pytrace=False)
    system = [pod for pod in evidence.all_pods if is_probed_system_pod(pod, evidence.expectations)]
    wrong = [f"{pod.name} on {pod.node or 'no node'}: {pod.state}" for pod in system if not pod.ready]
    if not any(pod.labels.get("k8s-app") == "kube-dns" for pod in evidence.all_pods):
        wrong.append("CoreDNS: it has no pod")
    if wrong or not system:
        said = "\n".join(wrong) or "there are no pods in the kube-* namespaces"
        pytest.fail(f"not Ready:\n{said}\n{causes(evidence, ())}", pytrace=False)


def test_system_pods_stay_up(evidence: Evidence, record_property: Record) -> None:
    """No container of the cluster itself failed and was started again since the cluster came up.

    Moments after a reboot it may. What happened while the cluster came up is told, and so is a lost lease:
    both say that the machines were slow then, not that the network is wrong.
    """
    if isinstance(evidence.all_pods, Problem):
        pytest.fail(str(evidence.all_pods), pytrace=False)
    seen = [
        (restart, f"{pod.name} on {pod.node or 'no node'}: {restart}")
        for pod in evidence.all_pods
        if is_probed_system_pod(pod, evidence.expectations)
        for restart in pod.restarts
        if not _follows_a_reboot(pod, restart, evidence.facts.get(pod.node or ""))
    ]
    since = evidence.inventory.ready_since
    excuses = [(_excuse(restart, since), text) for restart, text in seen]
    if wrong := [text for excuse, text in excuses if not excuse]:
        pytest.fail("\n".join(wrong), pytrace=False)
    if excuses:
        record_property(SEEN, "\n".join(f"{excuse}: {text}" for excuse, text in excuses))


def _excuse(restart: Restart, since: datetime | None) -> str:
    """Why it does not count, for a cluster that came up at `since`; empty when it does."""
    if restart.lost_lease:
        return "the control plane was too slow to renew a lease"
    if since is not None and restart.ended <= since:
        return f"before the cluster was up ({since})"
    return ""


def _follows_a_reboot(pod: ClusterPod, restart: Restart, facts: NodeFacts | Problem | None) -> bool:
    """Whether the pod lived through a boot of its node and this came while the others started again too."""
    if not isinstance(facts, NodeFacts) or facts.booted is None or pod.started is None:
        return False
    return pod.started < facts.booted <= restart.ended <= facts.booted + AFTER_A_REBOOT
