"""Files for nodes to fetch by HTTP, for as long as they are needed."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from lab.foundation.errors import LabError


@contextmanager
def serve_files(address: str, files: Mapping[str, Path]) -> Iterator[int]:
    """Serve `files` at http://ADDRESS:PORT/NAME, nothing else, and yield the port, which the kernel chooses.

    The thread that calls it must be in the network namespace that has the address. Raises LabError when it
    has not.
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
        server = ThreadingHTTPServer((address, 0), Handler)
    except OSError as error:
        raise LabError(f"no file can be served at {address}", details=error.strerror) from error
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
