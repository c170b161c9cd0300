"""What a program may want to know of a lab: the contract with everything that looks at it from outside."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import yaml

from lab.host.lan_host import HTTP_PORT, UDP_PORT
from lab.host.layout import SOCKET_PATH_LIMIT
from lab.modes.mode import Images
from lab.operations.context import Lab
from lab.operations.up_steps import AllReady
from lab.topology.models import AddressRange, Taint
from lab.topology.plan import KubernetesPlan, NetworkPlan, NicPlan, NodePlan, Plan

SHARED_NAME_LENGTH = 10 + 1 + 16
"""Ansible's name of a shared connection, and what OpenSSH appends while it makes one (muxserver_listen)."""


@dataclass(frozen=True)
class NamespaceEntry:
    """A network namespace: a process in it by the host's number, and the words that run a command there."""

    pid: int

    @property
    def enter(self) -> tuple[str, ...]:
        return ("nsenter", "-t", str(self.pid), "-n")

    def as_json(self) -> dict[str, Any]:
        return {"pid": self.pid, "enter": list(self.enter)}


@dataclass(frozen=True)
class Inventory:
    """A lab seen from outside."""

    lab: Lab
    network_namespace: NamespaceEntry | None
    lan_host: NamespaceEntry | None
    runtime: str
    probe_image: str
    ready_since: str | None = None
    """When its cluster last came up in its mode, UTC, ISO 8601."""

    def as_json(self) -> dict[str, Any]:
        plan = self.lab.plan
        return {
            "name": self.lab.folder.name,
            "topology": plan.topology,
            "mode": plan.mode,
            "mode_options": dict(plan.mode_options),
            "kubeconfig": str(self.lab.folder.kubeconfig),
            "ssh_config": str(self.lab.folder.ssh_config),
            "network_namespace": self.network_namespace.as_json() if self.network_namespace else None,
            "lan_host": self._lan_host(),
            "kubernetes": {**_kubernetes(plan.kubernetes, self.runtime), **_balanced(plan)},
            "networks": [_network(network) for network in plan.networks],
            "nodes": [_node(node) for node in plan.nodes],
            "probe_image": self.probe_image,
            "ready_since": self.ready_since,
        }

    def _lan_host(self) -> dict[str, Any] | None:
        underlay = self.lab.plan.underlay
        if self.lan_host is None or underlay is None or underlay.lan_host is None:
            return None
        return {
            **self.lan_host.as_json(),
            "address": str(underlay.lan_host.ip),
            "http_port": HTTP_PORT,
            "udp_port": UDP_PORT,
        }


def inventory_of(lab: Lab) -> Inventory:
    """The inventory of a lab; its namespaces are None while it does not run."""
    init = lab.site.init_pid if lab.site.running else None
    lan_host = lab.lan_host_pid
    return Inventory(
        lab,
        network_namespace=NamespaceEntry(init) if init else None,
        lan_host=NamespaceEntry(lan_host) if lan_host else None,
        runtime=lab.record.runtime,
        probe_image=Images(lab.record.images).named("agnhost") if lab.record.images else "",
        ready_since=next((step.ended for step in lab.record.steps if step.name == AllReady.name), None),
    )


def ansible_inventory(lab: Lab) -> str:
    """The nodes as an Ansible inventory in YAML, in groups control_plane and workers."""
    variables = _of_ansible(lab)

    def hosts(nodes: tuple[NodePlan, ...]) -> dict[str, Any]:
        return {"hosts": {node.name: dict(variables) for node in nodes}}

    groups = {"control_plane": hosts(lab.plan.control_planes), "workers": hosts(lab.plan.workers)}
    return yaml.safe_dump({"all": {"children": groups}}, sort_keys=False)


def _of_ansible(lab: Lab) -> dict[str, str]:
    """Ansible names a shared connection by host, port and user alone, so each lab has a folder for its own.

    https://docs.ansible.com/ansible/latest/collections/ansible/builtin/ssh_connection.html: control_path_dir.
    Where the path of a socket there would be too long, no connection is shared.
    """
    words = f"-F {lab.folder.ssh_config}"
    shared = lab.folder.shared_connections
    if len(os.fsencode(shared / ("x" * SHARED_NAME_LENGTH))) > SOCKET_PATH_LIMIT:
        return {"ansible_ssh_common_args": f"{words} -o ControlPath=none"}
    return {"ansible_ssh_common_args": words, "ansible_control_path_dir": str(shared)}


def _kubernetes(kubernetes: KubernetesPlan, runtime: str) -> dict[str, str]:
    return {
        "version": kubernetes.version,
        "installer": kubernetes.installer.value,
        "runtime": runtime,
        "kube_proxy": kubernetes.kube_proxy.value,
        "policy": kubernetes.policy.value,
        "pod_cidr": str(kubernetes.pod_cidr),
        "service_cidr": str(kubernetes.service_cidr),
        "dns_domain": kubernetes.dns_domain,
        "dns_address": str(kubernetes.dns_address),
        "api_service_address": str(kubernetes.api_service_address),
        "api_address": str(kubernetes.api.address),
    }


def _balanced(plan: Plan) -> dict[str, str | int]:
    """How several control planes are reached; empty where there is one."""
    balancer = plan.load_balancer
    if balancer is None:
        return {}
    return {"load_balancer": balancer.value, "api_port": plan.kubernetes.api.port}


def _network(network: NetworkPlan) -> dict[str, Any]:
    return {
        "name": network.name,
        "role": network.role.value,
        "cidr": str(network.cidr),
        "host_address": str(network.host_address),
        "bridge": network.bridge,
        "mtu": network.mtu,
        "pod_range": None if network.pod_range is None else _range(network.pod_range),
    }


def _node(node: NodePlan) -> dict[str, Any]:
    return {
        "name": node.name,
        "role": node.role.value,
        "internal_address": str(node.internal_address),
        "nics": [_nic(nic) for nic in node.nics],
        "labels": dict(node.labels),
        "taints": None if node.taints is None else [_taint(taint) for taint in node.taints],
        "underlay_pods": None if node.underlay_pods is None else _range(node.underlay_pods),
    }


def _nic(nic: NicPlan) -> dict[str, str]:
    return {"network": nic.network, "device": nic.device, "mac": nic.mac, "address": str(nic.primary)}


def _taint(taint: Taint) -> dict[str, str]:
    return {"key": taint.key, "value": taint.value, "effect": taint.effect}


def _range(addresses: AddressRange) -> dict[str, str]:
    return {"first": str(addresses.first), "last": str(addresses.last)}
