"""Files for nodes to fetch by HTTP, for as long as they are needed."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from lab.foundation.errors import LabError
from lab.host.site import Site


@contextmanager
def serve_files(site: Site, address: str, files: Mapping[str, Path]) -> Iterator[int]:
    """Serve `files` at http://ADDRESS:PORT/NAME of the site, nothing else, and yield a port that was free.

    Raises LabError when the site has no such address.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            file = files.get(self.path.removeprefix("/"))
            if file is None:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            with file.open("rb") as content:
                self.send_response(HTTPStatus.OK)
                self.send_header("Content-Length", str(file.stat().st_size))
                self.end_headers()
                shutil.copyfileobj(content, self.wfile, 1 << 20)

        def log_message(self, *_: object) -> None:
            pass

    try:
        door = site.listen(address)
    except OSError as error:
        raise LabError(f"no file can be served at {address}", details=error.strerror) from error
    server = server_on(door, Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield door.getsockname()[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def server_on(door: socket.socket, handler: Callable[..., BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    """A server on a socket that listens already."""
    server = ThreadingHTTPServer(door.getsockname(), handler, bind_and_activate=False)
    server.socket.close()
    server.socket = door
    server.daemon_threads = True
    return server
