"""Programs that a node's pod network needs: there, running, doing their work now."""

from __future__ import annotations

from ipaddress import IPv4Address

from acceptance.diagnosis.subject import Subject
from acceptance.node_facts import NodeFacts


def kube_proxy(subject: Subject) -> list[str]:
    """Runs it, and does it program rules now?"""
    facts, name = subject.facts, subject.node.name
    said = []
    processes = facts.processes_named("kube-proxy")
    if not processes:
        said.append(f"kube-proxy is not running on {name}{_pod_of_kube_proxy(subject)}")
    elif stopped := [process for process in processes if process.state in "Tt"]:
        said.append(
            f"kube-proxy on {name} is stopped (process {stopped[0].pid} is in state {stopped[0].state}):"
            " it is there and does nothing"
        )
    if not _jumps_to_services(facts):
        said.append(f"there are no kube-proxy rules on {name}: no chain KUBE-SERVICES in iptables' table nat")
    elif subject.service is not None and not _has_rule_for(facts, subject.service.cluster_ip):
        said.append(
            f"kube-proxy on {name} does not program rules: the Service {subject.service.name}"
            f" ({subject.service.cluster_ip}), made for this check, is not in its iptables"
        )
    return said


def _jumps_to_services(facts: NodeFacts) -> bool:
    return any(
        rule.startswith("nat -A ") and rule.endswith("-j KUBE-SERVICES")
        for firewall in facts.firewalls
        for rule in firewall.rules
    )


def _has_rule_for(facts: NodeFacts, cluster_ip: IPv4Address) -> bool:
    wanted = f"-d {cluster_ip}/32"
    return any(
        wanted in rule
        for firewall in facts.firewalls
        for table in ("nat", "filter")
        for rule in firewall.rules_of(table, "KUBE-SERVICES")
    )


def _pod_of_kube_proxy(subject: Subject) -> str:
    for pod in subject.system_pods:
        if pod.name.startswith("kube-proxy") and pod.node == subject.node.name:
            return f": its pod {pod.name} is {pod.state}"
    return ": it has no pod there"


def daemon(subject: Subject) -> list[str]:
    """Does the mode's own program run, where it has one?"""
    wanted, name = subject.expectations.data_path.daemon, subject.node.name
    if wanted is None:
        return []
    found = [process for known in wanted.processes for process in subject.facts.processes_named(known)]
    if not found:
        return [
            f"the daemon of {wanted.owner} is not running on {name}:"
            f" there is no process {' or '.join(wanted.processes)}"
        ]
    if stopped := [process for process in found if process.state in "Tt"]:
        return [
            f"the daemon of {wanted.owner} on {name} is stopped"
            f" (process {stopped[0].pid} is in state {stopped[0].state})"
        ]
    return []
