"""A cluster that is three dictionaries behind real TLS: what a drill asks, and what may happen to it."""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from lab.cluster.pki import KeyPair, Subject, issue
from lab.cluster.secrets import ClusterSecrets
from lab.drills.sources import ETCD_PORT, LEADERS, LEASES
from lab.topology.plan import Plan
from lab.topology.planner import API_PORT
from tests.stand_in_site import Here


@dataclass
class SmallCluster:
    """Control planes by name; whoever `site` lets in speaks to one of them."""

    plan: Plan
    secrets: ClusterSecrets
    holder: str = ""
    leader: str = ""
    term: int = 2
    servers_down: set[str] = field(default_factory=set)
    members_down: set[str] = field(default_factory=set)
    machines_down: set[str] = field(default_factory=set)
    forgets: bool = False
    """Whether what is written is acknowledged and not kept."""
    stored: set[str] = field(default_factory=set)
    """Keys in etcd."""
    leases: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    removed: set[str] = field(default_factory=set)
    """Whose member etcd has given up."""

    def __post_init__(self) -> None:
        first = self.plan.control_planes[0].name
        self.holder, self.leader = self.holder or first, self.leader or first
        self.leases = dict.fromkeys(LEADERS, first)
        self._api = _Served(self.secrets.authority, self.plan, self, _Api)
        self._etcd = _Served(self.secrets.etcd_authority, self.plan, self, _Etcd)

    def close(self) -> None:
        self._api.close()
        self._etcd.close()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(node.name for node in self.plan.control_planes)

    def members_up(self) -> set[str]:
        return set(self.names) - self.members_down - self.machines_down

    def has_quorum(self) -> bool:
        return len(self.members_up()) * 2 > len(self.names)

    def fail_over(self) -> None:
        """What the load balancer, etcd and the controller managers do in time."""
        gone = self.machines_down
        if self.holder in gone:
            self.holder = next(name for name in self.names if name not in gone)
        if self.leader not in self.members_up() and self.has_quorum():
            self.leader, self.term = sorted(self.members_up())[0], self.term + 1
        for name, node in self.leases.items():
            if node in gone:
                self.leases[name] = self.holder

    def connect(self, address: str, port: int, seconds: float | None) -> socket.socket:
        """As a site does it."""
        api = self.plan.kubernetes.api
        by_address = {str(node.internal_address): node.name for node in self.plan.control_planes}
        if (address, port) == (str(api.address), api.port):
            if self.holder in self.machines_down | {""}:
                raise TimedOutError
            if set(self.names) <= self.servers_down | self.machines_down:
                raise ConnectionRefusedError
            return self._api.connect(seconds)
        node = by_address[address]
        if node in self.machines_down:
            raise OSError(113, "No route to host")
        if port == API_PORT and node not in self.servers_down:
            return self._api.connect(seconds, node)
        if port == ETCD_PORT and node not in self.members_down:
            return self._etcd.connect(seconds, node)
        raise ConnectionRefusedError(111, "Connection refused")


class TimedOutError(TimeoutError):
    def __str__(self) -> str:
        return "timed out"


class SmallSite(Here):
    """A site whose network is the small cluster's."""

    def __init__(self, cluster: SmallCluster) -> None:
        super().__init__()
        self.cluster = cluster

    def connect(self, address: str, port: int, seconds: float | None) -> socket.socket:
        return self.cluster.connect(address, port, seconds)


class _Served:
    """One kind of server, at a port of loopback, with a certificate for all addresses of the plan."""

    def __init__(
        self, authority: KeyPair, plan: Plan, cluster: SmallCluster, handler: type[BaseHTTPRequestHandler]
    ) -> None:
        addresses = (plan.kubernetes.api.address, *(node.internal_address for node in plan.control_planes))
        pair = issue(authority, Subject("small", addresses=addresses, server=True))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=authority.certificate)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "server.pem"
            path.write_text(pair.certificate + pair.key)
            context.load_cert_chain(path)
        self._server = _Server(("127.0.0.1", 0), handler)
        self._server.cluster = cluster
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def connect(self, seconds: float | None, node: str = "") -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self._server.server_port), seconds)
        self._server.nodes[made.getsockname()[1]] = node
        return made

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    cluster: SmallCluster

    def __init__(self, *words: Any) -> None:
        super().__init__(*words)
        self.nodes: dict[int, str] = {}
        """Whom a connection is to, by the port it comes from."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5

    @property
    def cluster(self) -> SmallCluster:
        return cast(_Server, self.server).cluster

    @property
    def node(self) -> str:
        return cast(_Server, self.server).nodes[self.client_address[1]]

    def log_message(self, format: str, *words: object) -> None:  # noqa: A002 - so it is called there
        """Nobody reads it."""

    def _body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}"
        )
        return found

    def _say(self, status: int, content: object) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class _Api(_Handler):
    def do_GET(self) -> None:
        self.cluster.asked.append(self.path)
        if self.node in self.cluster.servers_down | self.cluster.machines_down:
            self.close_connection = True
            return
        if not self.cluster.has_quorum():
            self._say(500, {"message": "etcdserver: request timed out"})
        elif self.path == LEASES:
            renewed = datetime.fromtimestamp(time.time(), UTC).isoformat().replace("+00:00", "Z")
            self._say(
                200,
                {
                    "items": [
                        {
                            "metadata": {"name": name},
                            "spec": {"holderIdentity": f"{node}_1234", "renewTime": renewed},
                        }
                        for name, node in self.cluster.leases.items()
                    ]
                },
            )
        else:
            self._say(200, "ok")

    def do_POST(self) -> None:
        body = self._body()
        if not self.cluster.has_quorum():
            self._say(500, {"message": "etcdserver: request timed out"})
            return
        found = re.fullmatch(r"/api/v1/namespaces/([^/]+)/configmaps", self.path)
        if found and not self.cluster.forgets:
            self.cluster.stored.add(f"/registry/configmaps/{found[1]}/{body['metadata']['name']}")
        self._say(201, body)

    def do_DELETE(self) -> None:
        self.cluster.asked.append(f"DELETE {self.path}")
        self._say(200, {})


class _Etcd(_Handler):
    def do_POST(self) -> None:
        body, cluster = self._body(), self.cluster
        if self.node in cluster.members_down | cluster.machines_down:
            self.close_connection = True
            return
        ids = {name: str(number) for number, name in enumerate(cluster.names, start=11)}
        leader = ids[cluster.leader] if cluster.has_quorum() else "0"
        header = {"member_id": ids[self.node], "raft_term": str(cluster.term)}
        match self.path:
            case "/v3/maintenance/status":
                self._say(200, {"header": header, "leader": leader, "raftTerm": str(cluster.term)})
            case "/v3/cluster/member/list":
                members = [
                    {"ID": identity, "name": name, "peerURLs": [f"https://{name}.invalid:2380"]}
                    for name, identity in ids.items()
                    if name not in cluster.removed
                ]
                self._say(200, {"header": header, "members": members})
            case "/v3/cluster/member/remove":
                gone = next(name for name, each in ids.items() if each == body["ID"])
                known = gone not in cluster.removed
                cluster.removed.add(gone)
                message = {"message": "etcdserver: member not found"}
                self._say(*((200, {"header": header}) if known else (404, message)))
            case "/v3/cluster/member/add":
                cluster.removed.clear()
                self._say(200, {"header": header})
            case "/v3/maintenance/transfer-leadership":
                cluster.leader = next(name for name, each in ids.items() if each == body["targetID"])
                cluster.term += 1
                self._say(200, {"header": header})
            case "/v3/kv/range":
                start = base64.b64decode(body["key"]).decode()
                keys = sorted(key for key in cluster.stored if key.startswith(start))
                self._say(200, {"kvs": [{"key": base64.b64encode(key.encode()).decode()} for key in keys]})
