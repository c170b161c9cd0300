"""What `lab inventory --json` says about a lab: the only thing the suite learns from the builder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from acceptance.problems import SuiteError

INVENTORY_TIMEOUT = 60.0


class _Entry(BaseModel):
    """Immutable; fields this suite does not use are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class NetworkNamespace(_Entry):
    pid: int
    enter: tuple[str, ...]


class LanHost(_Entry):
    """The third party on the underlay: neither node nor gateway."""

    pid: int
    enter: tuple[str, ...]
    address: IPv4Address
    http_port: int
    udp_port: int


class Kubernetes(_Entry):
    version: str
    installer: str = "kubeadm"
    """`binary` where kube-proxy is a unit of each node, and no pod."""
    runtime: str
    kube_proxy: Literal["iptables", "ipvs", "nftables", "none"] = "iptables"
    policy: str = "none"
    """What enforces NetworkPolicies beside the mode itself."""
    pod_cidr: IPv4Network
    service_cidr: IPv4Network
    dns_domain: str
    dns_address: IPv4Address
    api_service_address: IPv4Address
    api_address: IPv4Address
    api_port: int = 6443
    load_balancer: str | None = None
    """Of a cluster with several control planes, which `api_address` leads to."""


class AddressRange(_Entry):
    """Both ends included."""

    first: IPv4Address
    last: IPv4Address

    def __contains__(self, address: IPv4Address) -> bool:
        return self.first <= address <= self.last

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


class Network(_Entry):
    name: str
    role: str
    cidr: IPv4Network
    host_address: IPv4Interface
    mtu: int
    pod_range: AddressRange | None = None


class Nic(_Entry):
    network: str
    device: str
    mac: str
    address: IPv4Interface


class Taint(_Entry):
    key: str
    value: str = ""
    effect: str

    def __str__(self) -> str:
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"


class Node(_Entry):
    name: str
    role: str
    internal_address: IPv4Address
    nics: tuple[Nic, ...]
    labels: dict[str, str] = {}
    taints: tuple[Taint, ...] | None = None
    underlay_pods: AddressRange | None = None

    @property
    def is_control_plane(self) -> bool:
        return self.role == "control-plane"

    @property
    def addresses(self) -> frozenset[IPv4Address]:
        return frozenset(nic.address.ip for nic in self.nics)


class Inventory(_Entry):
    name: str
    mode: str
    mode_options: dict[str, bool | int | str] = {}
    kubeconfig: Path
    ssh_config: Path
    network_namespace: NetworkNamespace | None = None
    lan_host: LanHost | None = None
    kubernetes: Kubernetes
    networks: tuple[Network, ...]
    nodes: tuple[Node, ...]
    probe_image: str
    ready_since: AwareDatetime | None = None
    """When the cluster last came up; None when nobody knows."""

    @property
    def conditions(self) -> dict[str, bool | int | str]:
        """What the expectations of a mode depend on."""
        return {
            **self.mode_options,
            "kube_proxy": self.kubernetes.kube_proxy,
            "policy": self.kubernetes.policy,
        }

    def network_with_role(self, role: str) -> Network | None:
        return next((network for network in self.networks if network.role == role), None)

    @property
    def underlay(self) -> Network | None:
        return self.network_with_role("underlay")

    @property
    def uplink(self) -> Network | None:
        return self.network_with_role("uplink")

    def node(self, name: str) -> Node:
        """Raises KeyError for a name that is not in the inventory."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def nic(self, node: Node, role: str) -> Nic | None:
        """The node's NIC on the network with that role."""
        network = self.network_with_role(role)
        return next((nic for nic in node.nics if network and nic.network == network.name), None)

    def device_name(self, node: Node, name: str) -> str:
        """`name` with each `{ROLE}` replaced by the node's NIC on the network with that role."""
        for role in {network.role for network in self.networks}:
            if (nic := self.nic(node, role)) is not None:
                name = name.replace(f"{{{role}}}", nic.device)
        return name

    @property
    def backend_node(self) -> Node:
        """Where the pod behind the test's Service runs: the first worker, or the only node there is."""
        return next((node for node in self.nodes if not node.is_control_plane), self.nodes[0])


def read_inventory(
    file: Path | None, *, kubeconfig: Path | None = None, mode: str | None = None, name: str | None = None
) -> Inventory:
    """The inventory from `file`, or of the running lab when `file` is None.

    `kubeconfig` and `mode` replace what the inventory says; `name` chooses among several labs.
    Raises SuiteError when there is no running lab or the inventory is not to be understood.
    """
    where = str(file) if file else "lab inventory --json"
    inventory = parse_inventory(_text_of(file) if file else _ask_lab(name), where)
    if file is None and inventory.network_namespace is None:
        raise SuiteError(
            f"the lab {inventory.name} is not running, so there is nothing to judge:"
            f" `lab up --name {inventory.name}`"
        )
    changes: dict[str, object] = {}
    if kubeconfig is not None:
        changes["kubeconfig"] = kubeconfig
    if mode is not None:
        changes["mode"] = mode
    return inventory.model_copy(update=changes)


def parse_inventory(text: str, where: str) -> Inventory:
    """Raises SuiteError naming every field that is missing or wrong."""
    try:
        return Inventory.model_validate(json.loads(text))
    except json.JSONDecodeError as error:
        raise SuiteError(f"{where} is not JSON: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, found['loc'])) or 'the whole'}: {found['msg']}" for found in error.errors()
        )
        raise SuiteError(f"{where} lacks what the suite needs: {wrong}") from error


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise SuiteError(f"cannot read the inventory {file}: {error.strerror}") from error


def _ask_lab(name: str | None) -> str:
    command = [_lab_program(), "inventory", "--json", *(["--name", name] if name else [])]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INVENTORY_TIMEOUT, check=False)
    except OSError as error:
        raise SuiteError(f"cannot run {command[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise SuiteError(f"`{' '.join(command)}` did not answer within {INVENTORY_TIMEOUT:.0f} s") from error
    if done.returncode != 0:
        said = " ".join((done.stderr.strip() or done.stdout.strip()).split())
        raise SuiteError(
            f"there is no running lab to judge: start one with `lab up --topology underlay-3node`"
            f" (`lab inventory` says: {said or 'nothing'})"
        )
    return done.stdout


def _lab_program() -> str:
    beside = Path(sys.executable).with_name("lab")
    in_tree = Path(__file__).resolve().parent.parent / "scripts" / "lab"
    found = (
        str(beside)
        if beside.exists()
        else shutil.which("lab") or (str(in_tree) if in_tree.exists() else None)
    )
    if found is None:
        raise SuiteError(
            "the program `lab` was not found: run pytest from the project's environment,"
            " or give --inventory FILE"
        )
    return found
