"""What a lab's doors lead to, as processes and namespaces of the tests: a LAN, and a proxy."""

from __future__ import annotations

import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

DEVICE = "lab-test-lan"
"""Of this host, which leads to the LAN."""
MACHINE = "172.31.0.50"
"""The LAN's only machine, in the underlay of underlay-3node; nobody else has the address."""
PREFIX_LENGTH = 21
FETCH = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())"
WHO_COMES = """\
import socket
with socket.create_server(("", 8000)) as server:
    print("listens", flush=True)
    while True:
        connection, (address, _) = server.accept()
        connection.close()
        print(address, flush=True)
"""


@dataclass(frozen=True)
class LanMachine:
    """A machine of the LAN: a network namespace."""

    holder: int

    def take(self, address: str) -> None:
        """Have that address too."""
        words = [*self.enter, "ip", "address", "add", f"{address}/{PREFIX_LENGTH}", "dev", "lan"]
        subprocess.run(words, check=True)

    def fetch(self, url: str) -> str:
        words = [*self.enter, "python3", "-c", FETCH, url]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()

    @contextmanager
    def server(self) -> Iterator[Iterator[str]]:
        """One at its port 8000, with the addresses of those who come."""
        words = [*self.enter, "python3", "-c", WHO_COMES]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            lines = (line.strip() for line in process.stdout)
            assert next(lines) == "listens"
            try:
                yield lines
            finally:
                process.kill()

    @property
    def enter(self) -> list[str]:
        return ["nsenter", "--target", str(self.holder), "--net", "--"]


@contextmanager
def a_lan() -> Iterator[LanMachine]:
    """It is at DEVICE of this host, and gone with it at the end."""
    with subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"], stdout=subprocess.PIPE
    ) as holder:
        try:
            assert holder.stdout is not None
            holder.stdout.readline()
            peer = f"/proc/{holder.pid}/ns/net"
            assert Path(peer).exists()
            _ip("link", "add", DEVICE, "type", "veth", "peer", "name", "lan", "netns", str(holder.pid))
            _ip("link", "set", DEVICE, "up")
            machine = LanMachine(holder.pid)
            machine.take(MACHINE)
            subprocess.run([*machine.enter, "ip", "link", "set", "lan", "up"], check=True)
            yield machine
        finally:
            subprocess.run(["ip", "link", "delete", DEVICE], check=False, capture_output=True)
            holder.kill()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@dataclass
class DeadEnd:
    """A proxy at this host's loopback that refuses everything, and keeps what it was asked for."""

    port: int = 0
    asked: list[str] = field(default_factory=list)
    """First lines of requests (RFC 9112, 3)."""


@contextmanager
def a_proxy() -> Iterator[DeadEnd]:
    seen = DeadEnd()

    class Refusal(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            seen.asked.append(self.rfile.readline().decode().strip())
            self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Refusal) as server:
        server.daemon_threads = True
        seen.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield seen
        finally:
            server.shutdown()
            thread.join()
