"""The Kubernetes client through a site: TLS with certificates at both ends, and what the site fails with."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from lab.cluster.api import ApiError, ClusterApi
from lab.cluster.credentials import admin_kubeconfig
from lab.cluster.pki import Subject, issue
from lab.cluster.secrets import ClusterSecrets
from lab.topology.plan import Plan
from tests.stand_in_site import Here

ADDRESS = IPv4Address("127.0.0.1")


@dataclass
class Elsewhere(Here):
    """A site whose addresses are not those of this host: all connections lead to `port` on loopback."""

    port: int = 0
    asked: list[tuple[str, int]] = field(default_factory=list)

    def connect(self, address: str, port: int, seconds: float | None) -> socket.socket:
        self.asked.append((address, port))
        return super().connect(str(ADDRESS), self.port, seconds)


class Ready(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port(plan: Plan, secrets: ClusterSecrets, tmp_path: Path) -> Iterator[int]:
    """Where a server with the API server's certificate asks for one of the same authority."""
    pair = issue(secrets.authority, Subject("api", addresses=(plan.kubernetes.api.address,), server=True))
    (tmp_path / "server.pem").write_text(pair.certificate + pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    context.load_verify_locations(cadata=secrets.authority.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    server = ThreadingHTTPServer((str(ADDRESS), 0), Ready)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def kubeconfig(plan: Plan, secrets: ClusterSecrets, tmp_path: Path) -> Path:
    file = tmp_path / "kubeconfig"
    file.write_text(admin_kubeconfig(plan, secrets))
    return file


def test_the_site_opens_one_connection_for_many_requests(plan: Plan, port: int, kubeconfig: Path) -> None:
    site = Elsewhere(port=port)
    api = ClusterApi(kubeconfig, site)
    for _ in range(3):
        api.check_serving()
    endpoint = plan.kubernetes.api
    assert site.asked == [(str(endpoint.address), endpoint.port)]


def test_who_is_not_there_is_told_in_the_systems_own_words(kubeconfig: Path) -> None:
    with socket.create_server((str(ADDRESS), 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ApiError, match="no answer") as caught:
        ClusterApi(kubeconfig, Elsewhere(port=port)).nodes(5.0)
    assert "Connection refused" in (caught.value.details or "")
