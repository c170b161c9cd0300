"""Certificates as ports serve them, by real handshakes."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from lab.cluster import served
from lab.cluster.pki import KeyPair, Subject, issue, new_authority
from lab.cluster.served import (
    NotSeen,
    Port,
    Served,
    ports_of,
    seen_everywhere,
    seen_from_host,
    served_of,
    what_ran_out,
)
from lab.nodes.connection import Result, Script
from lab.nodes.pool import Nodes
from lab.topology.plan import NodePlan, Plan
from tests.stand_in_site import Here

AUTHORITY = new_authority("of the test")


def pair(ends: datetime | None = None) -> KeyPair:
    return issue(AUTHORITY, Subject("a server", dns_names=("localhost",), server=True), ends)


@contextmanager
def serving(folder: Path, shown: KeyPair) -> Iterator[int]:
    """A server that wants a client's certificate, as etcd does; the port."""
    (folder / "pair.pem").write_text(shown.certificate + shown.key)
    (folder / "ca.pem").write_text(AUTHORITY.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "pair.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    # As etcd: the client's certificate is a part of the handshake, and not of what comes after it.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(folder / "ca.pem")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                try:
                    context.wrap_socket(client, server_side=True).close()
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield int(listener.getsockname()[1])
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


class Led(Here):
    """A site in which the ports of the plan are those of this host."""

    def __init__(self, ports: dict[int, int]) -> None:
        super().__init__()
        self.ports = ports

    def connect(self, address: str, port: int, seconds: float | None) -> socket.socket:
        return super().connect("127.0.0.1", self.ports.get(port, 1), seconds)


def test_a_control_plane_has_six_ports_and_a_worker_one(plan: Plan) -> None:
    numbers = {
        node.name: [port.number for port in ports_of(plan) if port.node == node.name] for node in plan.nodes
    }
    assert numbers["k8s-master1"] == [6443, 2379, 2380, 10250, 10257, 10259]
    assert numbers["k8s-node1"] == [10250]


def test_what_a_port_serves_is_seen_though_it_wants_to_know_who_asks(plan: Plan, tmp_path: Path) -> None:
    shown = pair()
    with serving(tmp_path, shown) as port:
        seen = seen_from_host(Led({2379: port}), (plan.first_control_plane,), AUTHORITY, 5.0)
    by_number = {port.number: sight for port, sight in seen.items()}
    assert by_number[2379] == served_of(shown.certificate)
    assert isinstance(by_number[6443], NotSeen)
    assert "refused" in by_number[6443].reason


def test_on_loopback_the_node_is_asked(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By openssl, which a real shell runs here."""
    first, second = pair(), pair()
    (tmp_path / "b").mkdir()
    with serving(tmp_path, first) as one, serving(tmp_path / "b", second) as two:
        monkeypatch.setattr(served, "CONTROLLER_MANAGER_PORT", one)
        monkeypatch.setattr(served, "SCHEDULER_PORT", two)

        def on_each(nodes: tuple[NodePlan, ...], work: object) -> dict[str, object]:
            return {node.name: work(node) for node in nodes}  # type: ignore[operator]

        class Stand(SimpleNamespace):
            def __getitem__(self, name: str) -> SimpleNamespace:
                return SimpleNamespace(run=lambda script: run(name, script))

        def run(name: str, script: Script) -> Result:
            return Result(
                name,
                0,
                subprocess.run(
                    ["bash", "-c", script.text], capture_output=True, text=True, check=True
                ).stdout,
                "",
            )

        nodes = cast(Nodes, Stand(plan=plan, site=Led({}), on_each=on_each))
        seen = {port.number: sight for port, sight in seen_everywhere(nodes, AUTHORITY).items()}
    assert (seen[one], seen[two]) == (served_of(first.certificate), served_of(second.certificate))


def test_one_that_ran_out_is_told_with_whose_where_and_since_when(plan: Plan) -> None:
    now = datetime(2026, 11, 30, 12, 0, 35, tzinfo=UTC)
    port = Port("k8s-master1", 6443, "kube-apiserver", plan.first_control_plane.internal_address)
    lasting, over = (Served("AB", now - timedelta(days=1), end) for end in (now + timedelta(days=1), now))
    silent = NotSeen("refused")
    assert list(what_ran_out({port: lasting}, now)) == list(what_ran_out({port: silent}, now)) == []
    (said,) = what_ran_out({port: over}, now + timedelta(seconds=35))
    assert said == (
        "kube-apiserver on k8s-master1 serves a certificate on port 6443 that ran out at"
        " 2026-11-30 12:00:35 UTC, 35 s ago (serial AB)"
    )
    (later,) = what_ran_out({port: over}, now + timedelta(days=3))
    assert "3 days ago" in later


def test_a_certificate_ends_when_it_is_to() -> None:
    ends = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert served_of(pair(ends).certificate).ends == ends
    assert served_of(pair().certificate).ends > datetime.now(UTC) + timedelta(days=3000)
