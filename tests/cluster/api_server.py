"""A stand-in for the API server: plain HTTP on loopback, answers as told, remembers what it was asked."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, list[str]]
    content_type: str
    body: Any


class ApiServer:
    """`answers` by "METHOD path": a status and an object; the `silent` among them get none."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any]] = {}
        self.silent: set[str] = set()
        self.overloaded: dict[str, int] = {}
        """How many times "METHOD path" is answered with 504 first."""
        self._closed = threading.Event()
        self.asked: list[Asked] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                url = urlsplit(self.path)
                length = int(self.headers.get("Content-Length", 0))
                body = json.loads(self.rfile.read(length)) if length else None
                owner.asked.append(
                    Asked(
                        self.command,
                        url.path,
                        parse_qs(url.query),
                        self.headers.get("Content-Type", ""),
                        body,
                    )
                )
                if f"{self.command} {url.path}" in owner.silent:
                    owner._closed.wait()
                    return
                if owner.overloaded.get(f"{self.command} {url.path}", 0):
                    owner.overloaded[f"{self.command} {url.path}"] -= 1
                    self.send_error(504)
                    return
                missing = (404, {"kind": "Status", "message": "not found here"})
                status, answer = owner.answers.get(f"{self.command} {url.path}", missing)
                text = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_PATCH = do_DELETE = _answer  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def write_kubeconfig(self, path: Path) -> None:
        url = f"http://127.0.0.1:{self._server.server_address[1]}"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "x",
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
            "clusters": [{"name": "x", "cluster": {"server": url}}],
            "users": [{"name": "x", "user": {}}],
        }
        path.write_text(yaml.safe_dump(document))

    def close(self) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
