"""kube-proxy: there, running, doing its work now, and in the way that the lab wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address

from acceptance.diagnosis.subject import Subject
from acceptance.node_facts import NodeFacts
from acceptance.service_facts import IPVS_DEVICE


def kube_proxy(subject: Subject) -> list[str]:
    """Runs it, and does it program what it should now?"""
    facts, name, wanted = subject.facts, subject.node.name, subject.inventory.kubernetes.kube_proxy
    processes = facts.processes_named("kube-proxy")
    if wanted == "none":
        return [f"kube-proxy runs on {name}, and the lab is to have none"] if processes else []
    said = []
    if not processes:
        said.append(f"kube-proxy is not running on {name}{_pod_of_kube_proxy(subject)}")
    elif stopped := [process for process in processes if process.state in "Tt"]:
        said.append(
            f"kube-proxy on {name} is stopped (process {stopped[0].pid} is in state {stopped[0].state}):"
            " it is there and does nothing"
        )
    return [*said, *_WORK[wanted](subject)]


def _in_iptables(subject: Subject) -> list[str]:
    facts, name = subject.facts, subject.node.name
    said = []
    if facts.link(IPVS_DEVICE) is not None:
        said.append(f"{name} has the device {IPVS_DEVICE} of kube-proxy's mode ipvs, expected iptables")
    if not _jumps_to_services(facts):
        said.append(f"there are no kube-proxy rules on {name}: no chain KUBE-SERVICES in iptables' table nat")
    elif subject.service is not None and not _has_rule_for(facts, subject.service.cluster_ip):
        said.append(_not_programmed(subject, "is not in its iptables"))
    return said


def _in_ipvs(subject: Subject) -> list[str]:
    """Virtual servers, their addresses on a device of the node, and the rules that masquerade."""
    facts, name = subject.facts, subject.node.name
    servers, device = facts.services.virtual_servers, facts.link(IPVS_DEVICE)
    if not servers and _service_chains(facts):
        return [f"kube-proxy on {name} uses iptables, expected ipvs: it takes that where modules are missing"]
    said = []
    if device is None:
        said.append(f"{name} has no device {IPVS_DEVICE}, which kube-proxy makes")
    if not _jumps_to_services(facts):
        said.append(f"there are no kube-proxy rules on {name}: no chain KUBE-SERVICES in iptables' table nat")
    if not servers:
        said.append(f"there are no virtual servers of IPVS on {name}")
    elif subject.service is not None:
        address = subject.service.cluster_ip
        if all(server.address != address for server in servers):
            said.append(_not_programmed(subject, "is no virtual server of its IPVS"))
        elif device is not None and all(own.ip != address for own in device.addresses):
            said.append(_not_programmed(subject, f"is not on its {IPVS_DEVICE}"))
    return said


def _in_nftables(subject: Subject) -> list[str]:
    addresses, name = subject.facts.services.nft_addresses, subject.node.name
    if not addresses:
        return [f"there are no kube-proxy rules on {name}: no Service in nftables' table kube-proxy"]
    if subject.service is not None and subject.service.cluster_ip not in addresses:
        return [_not_programmed(subject, "is not in its nftables")]
    return []


_WORK: Mapping[str, Callable[[Subject], list[str]]] = {
    "iptables": _in_iptables,
    "ipvs": _in_ipvs,
    "nftables": _in_nftables,
}


def _not_programmed(subject: Subject, how: str) -> str:
    service = subject.service
    assert service is not None, "only said of a Service that was made"
    return (
        f"kube-proxy on {subject.node.name} does not program rules: the Service {service.name}"
        f" ({service.cluster_ip}), made for this check, {how}"
    )


def _jumps_to_services(facts: NodeFacts) -> bool:
    return any(
        rule.startswith("nat -A ") and rule.endswith("-j KUBE-SERVICES")
        for firewall in facts.firewalls
        for rule in firewall.rules
    )


def _service_chains(facts: NodeFacts) -> bool:
    """The chains that lead to pods, which only the mode iptables has."""
    return any("-j KUBE-SVC-" in rule for firewall in facts.firewalls for rule in firewall.rules)


def _has_rule_for(facts: NodeFacts, cluster_ip: IPv4Address) -> bool:
    wanted = f"-d {cluster_ip}/32"
    return any(
        wanted in rule
        for firewall in facts.firewalls
        for table in ("nat", "filter")
        for rule in firewall.rules_of(table, "KUBE-SERVICES")
    )


def _pod_of_kube_proxy(subject: Subject) -> str:
    if subject.inventory.kubernetes.installer == "binary":
        return ": its unit kube-proxy.service does not run"
    for pod in subject.system_pods:
        if pod.name.startswith("kube-proxy") and pod.node == subject.node.name:
            return f": its pod {pod.name} is {pod.state}"
    return ": it has no pod there"
