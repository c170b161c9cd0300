"""What a node says about itself: devices, firewall, processes, routes; collected over ssh, parsed here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Interface
from typing import Any

from acceptance.machine_facts import MACHINE_COMMANDS, MachineFacts, parse_machine
from acceptance.service_facts import IPVS_DEVICE, SERVICE_COMMANDS, ServiceFacts, parse_services
from acceptance.shell import Command, Output

SYSCTLS = ("net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables")
BGP_PORT = 179
PROCESSES = (
    "kubelet",
    "kube-proxy",
    "containerd",
    "dockerd",
    "flanneld",
    "lab-flanneld",
    "hybridnet-daemon",
    "calico-node",
)
NAME_LENGTH = 15
"""The kernel keeps that much of a process's name (TASK_COMM_LEN)."""


@dataclass(frozen=True)
class Link:
    """A network device."""

    name: str
    index: int
    kind: str
    """veth, bridge, vxlan, macvlan ...; empty for a NIC."""
    mtu: int
    up: bool
    under: str | int | None
    """The device below it: its name, or its index when it lies in another network namespace."""
    master: str | None
    addresses: tuple[IPv4Interface, ...]
    vni: int | None = None
    port: int | None = None
    local: IPv4Address | None = None
    """The address a tunnel sends from; None when it takes any."""
    mac: str = ""


@dataclass(frozen=True)
class Firewall:
    """One variant of iptables (legacy or nft): the policy of each built-in chain and all rules."""

    variant: str
    policies: Mapping[str, str]
    """By "table chain", such as "filter FORWARD"."""
    rules: tuple[str, ...]
    """Each as "table -A CHAIN ..."."""

    def rules_of(self, table: str, chain: str) -> tuple[str, ...]:
        start = f"{table} -A {chain} "
        return tuple(rule for rule in self.rules if rule.startswith(start))


@dataclass(frozen=True)
class Process:
    pid: int
    name: str
    state: str
    """One letter, as in /proc/PID/stat: R, S, D, T (stopped), Z."""


@dataclass(frozen=True)
class Netem:
    """A device whose queueing discipline is netem, which exists to disturb: tc-netem(8)."""

    device: str
    loss: float
    """The share of packets that it loses at random."""


@dataclass(frozen=True)
class NodeFacts:
    node: str
    links: tuple[Link, ...]
    firewalls: tuple[Firewall, ...]
    sysctls: Mapping[str, str]
    processes: tuple[Process, ...]
    routes: Mapping[IPv4Address, str]
    """The device of the route to each target that was asked for; empty when there is no route."""
    pod_links: Mapping[str, tuple[Link, ...]]
    """Devices inside a pod's network namespace, by pod name."""
    rule_tables: frozenset[int] = frozenset()
    """The routing tables that rules lead to, but those of every machine (local, main, default)."""
    proxy_arp: frozenset[tuple[IPv4Address, str]] = frozenset()
    """Addresses that are not the node's own, and the devices on which it answers ARP for them."""
    booted: datetime | None = None
    bgp_peers: frozenset[IPv4Address] = frozenset()
    """Whom it has a BGP session with, as far as TCP knows."""
    default_devices: frozenset[str] = frozenset()
    """Where default routes lead."""
    netems: tuple[Netem, ...] = ()
    machine: MachineFacts = field(default_factory=MachineFacts)
    services: ServiceFacts = field(default_factory=ServiceFacts)

    def link(self, name: str) -> Link | None:
        return next((link for link in self.links if link.name == name), None)

    def link_under(self, link: Link) -> str | None:
        """The node's device below `link`, which may be a pod's; below a bridge, the NIC that is its port."""
        if isinstance(link.under, int):
            return next((found.name for found in self.links if found.index == link.under), None)
        if link.kind == "bridge":
            return next((nic.name for nic in self.links if nic.master == link.name and not nic.kind), None)
        return link.under

    def device_with(self, address: IPv4Address) -> str | None:
        return next((link.name for link in self.links if any(a.ip == address for a in link.addresses)), None)

    def processes_named(self, name: str) -> tuple[Process, ...]:
        return tuple(process for process in self.processes if process.name == name[:NAME_LENGTH])

    @property
    def addresses(self) -> frozenset[IPv4Address]:
        """Its own; the ClusterIPs that it has in kube-proxy's mode ipvs are everybody's."""
        own = (link for link in self.links if link.name != IPVS_DEVICE)
        return frozenset(address.ip for link in own for address in link.addresses)


def fact_commands(targets: Iterable[IPv4Address], pods: Sequence[str]) -> tuple[Command, ...]:
    """The commands whose outputs `parse_facts` takes.

    `targets` are the addresses whose routes are wanted; `pods` are names of pods for which the prelude of the
    batch has set the variable `pod_INDEX` to a process id.
    """
    sysctls = "\n".join(
        f"echo {name}=$(cat /proc/sys/{name.replace('.', '/')} 2>/dev/null)" for name in SYSCTLS
    )
    routes = "\n".join(
        f"echo {target} $(ip -4 -o route get {target} 2>/dev/null || true)"
        for target in dict.fromkeys(targets)
    )
    return (
        Command("links", "ip -j -d addr show"),
        Command("iptables-legacy", _saved("iptables-legacy-save")),
        Command("iptables-nft", _saved("iptables-nft-save")),
        Command("sysctls", sysctls),
        Command(
            "processes",
            'for stat in /proc/[0-9]*/stat; do read -r line 2>/dev/null <"$stat" && echo "$line"; done',
        ),
        Command("routes", routes or "true"),
        Command("rules", "ip -4 -j rule show"),
        Command("proxy-arp", "ip -4 neigh show proxy"),
        Command("booted", "grep ^btime /proc/stat"),
        Command("bgp", f"ss -4Htn state established '( sport = :{BGP_PORT} or dport = :{BGP_PORT} )'"),
        Command("default-routes", "ip -4 -j route show default"),
        Command("queues", "tc -j qdisc show"),
        *MACHINE_COMMANDS,
        *SERVICE_COMMANDS,
        *(
            Command(f"pod-links {pod}", f"nsenter -t $pod_{index} -n ip -j -d addr show")
            for index, pod in enumerate(pods)
        ),
    )


def _saved(program: str) -> str:
    return f"if command -v {program} >/dev/null; then {program} 2>/dev/null; fi"


def parse_facts(node: str, outputs: Mapping[str, Output], asked: tuple[float, float]) -> NodeFacts:
    """`asked` are the moments when the node was asked and had answered, in seconds since the epoch."""
    prefix = "pod-links "
    return NodeFacts(
        node=node,
        links=parse_links(outputs["links"].stdout),
        firewalls=tuple(
            parse_firewall(variant, outputs[f"iptables-{variant}"].stdout) for variant in ("legacy", "nft")
        ),
        sysctls=dict(line.split("=", 1) for line in outputs["sysctls"].stdout.splitlines() if "=" in line),
        processes=parse_processes(outputs["processes"].stdout),
        routes=parse_routes(outputs["routes"].stdout),
        rule_tables=parse_rule_tables(outputs["rules"].stdout),
        proxy_arp=parse_proxy_arp(outputs["proxy-arp"].stdout),
        booted=parse_booted(outputs["booted"].stdout),
        bgp_peers=parse_peers(outputs["bgp"].stdout),
        default_devices=parse_devices(outputs["default-routes"].stdout),
        netems=parse_netems(outputs["queues"].stdout),
        machine=parse_machine(outputs, asked),
        services=parse_services(outputs),
        pod_links={
            key.removeprefix(prefix): parse_links(output.stdout)
            for key, output in outputs.items()
            if key.startswith(prefix) and output.status == 0
        },
    )


def parse_links(text: str) -> tuple[Link, ...]:
    """From `ip -j -d addr show`."""
    return tuple(_link(entry) for entry in json.loads(text or "[]") if "ifname" in entry)


def _link(entry: Mapping[str, Any]) -> Link:
    info = entry.get("linkinfo", {})
    data = info.get("info_data", {})
    local = data.get("local")
    return Link(
        name=entry["ifname"],
        index=entry["ifindex"],
        kind=info.get("info_kind", ""),
        mtu=entry["mtu"],
        up="UP" in entry.get("flags", ()),
        under=entry.get("link", data.get("link", entry.get("link_index"))),
        master=entry.get("master"),
        addresses=tuple(
            IPv4Interface(f"{address['local']}/{address['prefixlen']}")
            for address in entry.get("addr_info", ())
            if address.get("family") == "inet"
        ),
        vni=data.get("id"),
        port=data.get("port"),
        local=IPv4Address(local) if local not in (None, "any") else None,
        mac=entry.get("address", ""),
    )


def parse_firewall(variant: str, text: str) -> Firewall:
    """From `iptables-save`."""
    policies: dict[str, str] = {}
    rules: list[str] = []
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif policy := re.match(r":(\S+) (ACCEPT|DROP|QUEUE)\b", line):
            policies[f"{table} {policy[1]}"] = policy[2]
        elif line.startswith("-A "):
            rules.append(f"{table} {line}")
    return Firewall(variant, policies, tuple(rules))


def parse_processes(text: str) -> tuple[Process, ...]:
    """From lines of /proc/PID/stat; only the processes in PROCESSES are kept."""
    known = [name[:NAME_LENGTH] for name in PROCESSES]
    found = (re.match(r"(\d+) \((.+)\) (\S)", line) for line in text.splitlines())
    return tuple(Process(int(m[1]), m[2], m[3]) for m in found if m and m[2] in known)


def parse_devices(text: str) -> frozenset[str]:
    """The devices of the routes that `ip -j route show` lists."""
    return frozenset(str(route["dev"]) for route in json.loads(text or "[]") if "dev" in route)


def parse_netems(text: str) -> tuple[Netem, ...]:
    """From `tc -j qdisc show`."""
    return tuple(
        Netem(queue["dev"], float(queue.get("options", {}).get("loss-random", {}).get("loss", 0)))
        for queue in json.loads(text or "[]")
        if queue.get("kind") == "netem"
    )


def parse_rule_tables(text: str) -> frozenset[int]:
    """From `ip -j rule show`."""
    tables = (str(rule.get("table", "")) for rule in json.loads(text or "[]"))
    return frozenset(int(table) for table in tables if table.isdigit())


def parse_proxy_arp(text: str) -> frozenset[tuple[IPv4Address, str]]:
    """From `ip neigh show proxy`; an address may be answered for on several devices."""
    found = (re.match(r"(\S+) dev (\S+)", line) for line in text.splitlines())
    return frozenset((IPv4Address(m[1]), m[2]) for m in found if m)


def parse_booted(text: str) -> datetime | None:
    """From the line `btime SECONDS` of /proc/stat: proc(5)."""
    seconds = text.split()[1:2]
    return datetime.fromtimestamp(int(seconds[0]), UTC) if seconds else None


def parse_peers(text: str) -> frozenset[IPv4Address]:
    """The other ends, from lines of `ss -Htn` without states: RECEIVED SENT OWN:PORT OTHER:PORT."""
    ends = (line.split()[3] for line in text.splitlines() if line.strip())
    return frozenset(IPv4Address(end.rpartition(":")[0]) for end in ends)


def parse_routes(text: str) -> dict[IPv4Address, str]:
    """From lines of `TARGET OUTPUT-OF-ip-route-get`."""
    routes: dict[IPv4Address, str] = {}
    for line in text.splitlines():
        target, _, answer = line.partition(" ")
        device = re.search(r"\bdev (\S+)", answer)
        routes[IPv4Address(target)] = device[1] if device else ""
    return routes
