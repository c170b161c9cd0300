"""What several control planes say of the API, of etcd and of each other: asked on each of them.

etcd's JSON gateway: https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway/.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from acceptance.inventory import Inventory, Node
from acceptance.problems import Problem, SuiteError
from acceptance.shell import Command, Output, Shell, run_batch

SERVER_PORT = 6443
LOCAL_PROXY = "local-nginx"
PKI = "/etc/kubernetes/pki"
LIMIT = 30
"""Seconds for an answer on a busy host."""

COMPONENTS = ("kubelet", "kube-controller", "kube-scheduler", "kube-proxy")
"""Names of processes, as `ss` has them: fifteen characters."""

_ASK = f"curl --silent --show-error --fail --max-time {LIMIT} --output /dev/null --cacert {PKI}/ca.crt"
_ETCD = (
    f"curl --silent --show-error --fail --max-time {LIMIT} --cacert {PKI}/etcd/ca.crt"
    f" --cert {PKI}/etcd/healthcheck-client.crt --key {PKI}/etcd/healthcheck-client.key"
)
TLS_PORTS = {
    6443: "kube-apiserver",
    2379: "etcd",
    2380: "etcd",
    10250: "kubelet",
    10257: "kube-controller-manager",
    10259: "kube-scheduler",
}
LOOPBACK_PORTS = (10257, 10259)

_ASKED = re.compile(r"^([a-z-]+, port [0-9]+)\n(.*?)(?=^[a-z-]+, port [0-9]+$|\Z)", re.MULTILINE | re.DOTALL)
_SHOWN = re.compile(r"serial=([0-9A-F]+)\nnotAfter=(.+)")
_ENDS = "%b %d %H:%M:%S %Y GMT"
"""As openssl-x509(1) prints a time."""
_USER = re.compile(r'"([^"]+)",pid=')


@dataclass(frozen=True)
class EtcdSight:
    """What one member of etcd says."""

    leader: str
    """The leader's identity; empty when it knows of none."""
    term: int
    revision: int
    members: Mapping[str, str]
    """Names by identity; a member that was never started has none."""
    alarms: tuple[str, ...]


@dataclass(frozen=True)
class Certificate:
    """What a port serves, whatever lies on the disk."""

    serial: str
    """In hexadecimal digits."""
    ends: datetime
    """UTC."""


@dataclass(frozen=True)
class PlaneSight:
    """What was seen on one control plane. Answers are empty where all is right, else the reason."""

    ways: Mapping[str, str]
    """By the address and port at which the API was asked."""
    names: Mapping[str, str]
    """By a name or address that the certificate of its own API server must bear."""
    has_common_address: bool
    etcd: EtcdSight | Problem
    peers: Mapping[str, frozenset[str]]
    """With whom each component has connections to port 6443 or the load balancer's."""
    servers: Mapping[str, str]
    """By the address and port of each server that its load balancer is told to lead to."""
    certificates: Mapping[str, Certificate | Problem] = field(default_factory=dict)
    """By program and port, as `etcd, port 2379`."""


def planes_of(inventory: Inventory) -> tuple[Node, ...]:
    """The control planes, where there are several."""
    if inventory.kubernetes.load_balancer is None:
        return ()
    return tuple(node for node in inventory.nodes if node.is_control_plane)


def endpoint_on_nodes(inventory: Inventory) -> str:
    """`ADDRESS:PORT` at which programs on nodes find the API."""
    if inventory.kubernetes.load_balancer == LOCAL_PROXY:
        return f"127.0.0.1:{SERVER_PORT}"
    return f"{inventory.kubernetes.api_address}:{inventory.kubernetes.api_port}"


def look(inventory: Inventory, shells: Mapping[str, Shell]) -> Mapping[str, PlaneSight | Problem]:
    """Ask all control planes at once, by node name; the shells by the same."""
    nodes = planes_of(inventory)
    with ThreadPoolExecutor(len(nodes)) as pool:
        found = pool.map(lambda node: _plane(inventory, node, shells[node.name]), nodes)
        return dict(zip((node.name for node in nodes), found, strict=True))


def content_hashes(
    sights: Mapping[str, PlaneSight | Problem], shells: Mapping[str, Shell]
) -> Mapping[str, str | Problem]:
    """By node: etcd's hash over all keys at one revision, the newest that all members have."""
    revisions = [
        sight.etcd.revision
        for sight in sights.values()
        if isinstance(sight, PlaneSight) and isinstance(sight.etcd, EtcdSight)
    ]
    if not revisions:
        return {name: Problem("no member of etcd said its revision") for name in sights}
    # The second is the path in etcd 3.5.
    paths = ("maintenance/hashkv", "maintenance/hash")
    script = " || ".join(f"{_etcd(path, {'revision': min(revisions)})} 2>/dev/null" for path in paths)
    command = Command("hash", script)
    with ThreadPoolExecutor(len(sights)) as pool:
        return dict(zip(sights, pool.map(lambda name: _hash(shells[name], command), sights), strict=True))


def _hash(shell: Shell, command: Command) -> str | Problem:
    try:
        answer = _json(run_batch(shell, [command])[command.key])
    except SuiteError as error:
        return Problem(str(error))
    return answer if isinstance(answer, Problem) else str(answer.get("hash"))


def _plane(inventory: Inventory, node: Node, shell: Shell) -> PlaneSight | Problem:
    address = inventory.kubernetes.api_address
    ways = {way: f"{_ASK} https://{way}/readyz" for way in _ways(inventory)}
    names = {name: _served(name, node) for name in _names(inventory)}
    others = {
        # One after another: all at once, handshakes alone would keep the API servers from answering.
        "names": "".join(f"echo {name} $({script} 2>&1)\n" for name, script in names.items()),
        "status": _etcd("maintenance/status", {}),
        "members": _etcd("cluster/member/list", {}),
        "alarms": _etcd("maintenance/alarm", {"action": "GET"}),
        "holder": f"ip -oneline -4 address show to {address}/32",
        "sockets": "ss --no-header --tcp --numeric --processes state established",
        "servers": _balanced(inventory),
        "certificates": _certificates(node),
    }
    commands = [
        *(Command(f"way {way}", script) for way, script in ways.items()),
        *(Command(key, script) for key, script in others.items()),
    ]
    try:
        outputs = run_batch(shell, commands)
    except SuiteError as error:
        return Problem(str(error))
    return PlaneSight(
        {way: _reason(outputs[f"way {way}"]) for way in ways},
        _of_names(names, outputs["names"].stdout),
        bool(outputs["holder"].stdout.strip()),
        etcd_sight(outputs["status"], outputs["members"], outputs["alarms"]),
        peers(outputs["sockets"].stdout, {SERVER_PORT, inventory.kubernetes.api_port}),
        _of_servers(outputs["servers"].stdout),
        of_certificates(outputs["certificates"].stdout),
    )


def _ways(inventory: Inventory) -> Sequence[str]:
    servers = [f"{node.internal_address}:{SERVER_PORT}" for node in planes_of(inventory)]
    return list(dict.fromkeys((endpoint_on_nodes(inventory), *servers)))


def _names(inventory: Inventory) -> Iterable[str]:
    """Every name and address by which somebody may reach any of the API servers."""
    kubernetes = inventory.kubernetes
    service = "kubernetes.default.svc"
    yield from ("kubernetes", "kubernetes.default", service, f"{service}.{kubernetes.dns_domain}")
    yield from (str(kubernetes.api_address), str(kubernetes.api_service_address), "127.0.0.1")
    for node in planes_of(inventory):
        yield from (node.name, *sorted(map(str, node.addresses)))


def _balanced(inventory: Inventory) -> str:
    """Asks each server that the node's load balancer names, and says what became of it, a line for each."""
    local = inventory.kubernetes.load_balancer == LOCAL_PROXY
    file, words = ("/etc/nginx/nginx.conf", "") if local else ("/etc/haproxy/haproxy.cfg", r"[^ ]+ ")
    find = rf"sed --regexp-extended --quiet 's/^ *server {words}([0-9.]+:[0-9]+).*/\1/p' {file} | sort -u"
    return f"for server in $({find}); do echo $server $({_ASK} https://$server/version 2>&1); done"


def _certificates(node: Node) -> str:
    """Asks each port by a handshake in which nothing is verified, one after another."""
    own, loopback = node.internal_address, "127.0.0.1"
    asked = (
        f"echo '{program}, port {port}'; timeout {LIMIT} openssl s_client -connect"
        f" {loopback if port in LOOPBACK_PORTS else own}:{port} </dev/null 2>/dev/null"
        " | openssl x509 -noout -serial -enddate 2>&1 || true"
        for port, program in TLS_PORTS.items()
    )
    return "\n".join(asked)


def of_certificates(said: str) -> Mapping[str, Certificate | Problem]:
    """By program and port, from lines of that and what openssl said."""
    found: dict[str, Certificate | Problem] = {}
    for match in _ASKED.finditer(said):
        where, answer = match[1], match[2]
        shown = _SHOWN.search(answer)
        found[where] = (
            Certificate(shown[1], datetime.strptime(shown[2], _ENDS).replace(tzinfo=UTC))
            if shown
            else Problem("it showed no certificate")
        )
    return found


def _of_servers(said: str) -> Mapping[str, str]:
    """By address and port what curl said of it, from lines of both; nothing where all is right."""
    lines = [line.partition(" ") for line in said.splitlines()]
    return {server: error for server, _, error in lines if server}


def _served(name: str, node: Node) -> str:
    """Asks that node's own API server as if it were called so: curl verifies what is served."""
    own = f"{name}:{SERVER_PORT}:{node.internal_address}:{SERVER_PORT}"
    return f"{_ASK} --connect-to {own} https://{name}:{SERVER_PORT}/version"


def _of_names(names: Iterable[str], said: str) -> Mapping[str, str]:
    """By name what curl said of it, from lines of name and error; nothing where all is right."""
    errors = {name: error for name, _, error in (line.partition(" ") for line in said.splitlines())}
    return {name: errors.get(name, "it was not asked") for name in names}


def _etcd(path: str, question: Mapping[str, object]) -> str:
    return f"{_ETCD} --data '{json.dumps(question)}' https://127.0.0.1:2379/v3/{path}"


def _reason(output: Output) -> str:
    return "" if output.status == 0 else output.reason


def _json(output: Output) -> dict[str, Any] | Problem:
    if output.status != 0:
        return Problem(output.reason)
    try:
        answer = json.loads(output.stdout)
    except json.JSONDecodeError:
        return Problem(f"etcd's answer is no JSON: {output.stdout[:80]!r}")
    if not isinstance(answer, dict):
        return Problem(f"etcd's answer is no object: {output.stdout[:80]!r}")
    return answer


def etcd_sight(status: Output, members: Output, alarms: Output) -> EtcdSight | Problem:
    """One member's answers; the first reason where one is missing."""
    answers = [_json(output) for output in (status, members, alarms)]
    for answer in answers:
        if isinstance(answer, Problem):
            return answer
    said, listed, alarmed = (answer for answer in answers if not isinstance(answer, Problem))
    leader = str(said.get("leader", "0"))
    return EtcdSight(
        "" if leader == "0" else leader,
        int(said["header"].get("raft_term", 0)),
        int(said["header"].get("revision", 0)),
        {str(member["ID"]): str(member.get("name", "")) for member in listed.get("members", ())},
        tuple(str(alarm.get("alarm")) for alarm in alarmed.get("alarms", ())),
    )


def peers(sockets: str, ports: set[int]) -> Mapping[str, frozenset[str]]:
    """By component: where its connections to these ports lead, from the lines of `ss -Htnp`."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for line in sockets.splitlines():
        fields = line.split()
        remote = next(iter(fields[3:4]), "").replace("[::ffff:", "").replace("]", "")
        if remote.rpartition(":")[2] not in map(str, ports):
            continue
        for user in _USER.findall(line):
            if user in COMPONENTS:
                found[user].add(remote)
    return {user: frozenset(remotes) for user, remotes in found.items()}
