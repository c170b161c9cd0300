"""Certificates as they are served: what a handshake with each port of the cluster's programs shows."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from lab.cluster.binaries.control_plane import (
    CLIENT_PORT,
    CONTROLLER_MANAGER_PORT,
    PEER_PORT,
    SCHEDULER_PORT,
)
from lab.cluster.client_certificate import show
from lab.cluster.pki import KeyPair, Subject, issue
from lab.cluster.tuning import Part
from lab.foundation.errors import LabError
from lab.host.site import Site
from lab.nodes.connection import Script
from lab.nodes.pool import Nodes
from lab.topology.models import IpAddress, NodeRole
from lab.topology.plan import LOOPBACK, NodePlan, Plan
from lab.topology.planner import API_PORT

KUBELET_PORT = 10250
HANDSHAKE_SECONDS = 5.0
_MARK = "== port "
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", re.DOTALL)


@dataclass(frozen=True, order=True)
class Port:
    """Where a program serves TLS."""

    node: str
    number: int
    program: str
    address: IpAddress

    def __str__(self) -> str:
        return f"{self.program} on {self.node}, port {self.number}"


@dataclass(frozen=True)
class Served:
    """The certificate that a port showed."""

    serial: str
    """In hexadecimal digits."""
    begins: datetime
    ends: datetime
    """Both UTC."""

    def ran_out(self, now: datetime) -> bool:
        return self.ends <= now


@dataclass(frozen=True)
class NotSeen:
    """Why a port showed none."""

    reason: str


Sights = Mapping[Port, Served | NotSeen]


def ports_of(plan: Plan) -> tuple[Port, ...]:
    """All of them, in the order of the nodes."""
    return tuple(port for node in plan.nodes for port in (*_own_ports(node), *_loopback_ports(node)))


def seen_from_host(
    site: Site, nodes: Iterable[NodePlan], etcd_authority: KeyPair, seconds: float = HANDSHAKE_SECONDS
) -> Sights:
    """What ports on the nodes' own addresses serve, all asked at once, without a program on the nodes.

    etcd ends a handshake in which no certificate of its authority is shown; that of the others is not needed.
    """
    ports = [port for node in nodes for port in _own_ports(node)]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    show(context, issue(etcd_authority, Subject("lab", client=True)))
    with ThreadPoolExecutor(max(1, len(ports))) as pool:
        sights = pool.map(lambda port: _handshake(site, port, context, seconds), ports)
        return dict(zip(ports, sights, strict=True))


def seen_everywhere(nodes: Nodes, etcd_authority: KeyPair) -> Sights:
    """What all ports serve, those on the nodes' loopback too. Raises LabError when a node does not answer."""
    plan = nodes.plan
    by_node = nodes.on_each(plan.control_planes, lambda node: _on_loopback(nodes, node))
    sights = {**seen_from_host(nodes.site, plan.nodes, etcd_authority)}
    for found in by_node.values():
        sights.update(found)
    return {port: sights[port] for port in ports_of(plan)}


def what_ran_out(sights: Sights, now: datetime) -> Iterator[str]:
    """A line for each certificate that has: whose, where, and since when."""
    for port, served in sights.items():
        if isinstance(served, Served) and served.ran_out(now):
            ago = (now - served.ends).total_seconds()
            yield (
                f"{port.program} on {port.node} serves a certificate on port {port.number} that ran out at"
                f" {served.ends:%Y-%m-%d %H:%M:%S} UTC, {_length(ago)} ago (serial {served.serial})"
            )


def served_of(pem: str) -> Served:
    """Raises ValueError for text that is no certificate."""
    return _served(x509.load_pem_x509_certificate(pem.encode()))


def _own_ports(node: NodePlan) -> Sequence[Port]:
    address, numbers = node.internal_address, {KUBELET_PORT: "kubelet"}
    if node.role is NodeRole.CONTROL_PLANE:
        numbers = {API_PORT: Part.API_SERVER, CLIENT_PORT: Part.ETCD, PEER_PORT: Part.ETCD, **numbers}
    return [Port(node.name, number, str(program), address) for number, program in numbers.items()]


def _loopback_ports(node: NodePlan) -> Sequence[Port]:
    if node.role is not NodeRole.CONTROL_PLANE:
        return ()
    numbers = {CONTROLLER_MANAGER_PORT: Part.CONTROLLER_MANAGER, SCHEDULER_PORT: Part.SCHEDULER}
    return [Port(node.name, number, str(program), LOOPBACK) for number, program in numbers.items()]


def _handshake(site: Site, port: Port, context: ssl.SSLContext, seconds: float) -> Served | NotSeen:
    """Nothing that the server shows is verified."""
    try:
        with site.connect(str(port.address), port.number, seconds) as plain:
            plain.settimeout(seconds)
            with context.wrap_socket(plain) as connection:
                shown = connection.getpeercert(binary_form=True)
    except (OSError, LabError) as error:
        return NotSeen(str(error) or type(error).__name__)
    return _served(x509.load_der_x509_certificate(shown)) if shown else NotSeen("it showed none")


def _on_loopback(nodes: Nodes, node: NodePlan) -> Sights:
    ports = _loopback_ports(node)
    lines = "".join(
        f"echo '{_MARK}{port.number}'\n"
        f"timeout 20 openssl s_client -connect {port.address}:{port.number} </dev/null 2>/dev/null || true\n"
        for port in ports
    )
    said = nodes[node.name].run(Script(lines, f"read certificates on the loopback of {node.name}")).stdout
    shown = dict(part.partition("\n")[::2] for part in said.split(_MARK))
    return {port: _of_openssl(shown.get(str(port.number), "")) for port in ports}


def _of_openssl(said: str) -> Served | NotSeen:
    found = _PEM.search(said)
    return served_of(found[0]) if found else NotSeen("it showed none")


def _served(certificate: x509.Certificate) -> Served:
    return Served(
        f"{certificate.serial_number:X}",
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )


def _length(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"
