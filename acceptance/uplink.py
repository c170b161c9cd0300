"""A server on the lab's side of the uplink, so that pods have something outside to ask."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from acceptance.inventory import Inventory


class _ClientIp(BaseHTTPRequestHandler):
    """Answers like netexec's /clientip: the address and port the request came from."""

    def do_GET(self) -> None:
        body = f"{self.client_address[0]}:{self.client_address[1]}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the signature of http.server)
        pass


@dataclass(frozen=True)
class UplinkServer:
    """`port` is 0 when this process cannot serve on the uplink's address: then it is only pinged."""

    port: int

    @staticmethod
    @contextmanager
    def open(inventory: Inventory) -> Iterator[UplinkServer]:
        if inventory.uplink is None:
            yield UplinkServer(0)
            return
        try:
            server = ThreadingHTTPServer((str(inventory.uplink.host_address.ip), 0), _ClientIp)
        except OSError:
            yield UplinkServer(0)
            return
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield UplinkServer(server.server_port)
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
