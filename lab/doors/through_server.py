"""The process that nodes of a lab pull images from: it fills the lab's registry and hands requests on to it.

Started with the folder of its lab, the number of the listening socket that it was given, and the port of the
registry.
"""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from lab.foundation import journal
from lab.foundation.errors import LabError
from lab.foundation.image_names import DOCKER_HUB
from lab.foundation.journal import JOURNAL
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.host.enclosure import Enclosure
from lab.nodes.file_server import server_on
from lab.supply.mirror.mirrors import UnavailableError
from lab.supply.registry_store import Asked, Filler, ManifestList, RegistryStore

API = "/v2"
# https://github.com/opencontainers/distribution-spec/blob/main/spec.md: the end points of a pull.
_PATH = re.compile(rf"{API}/(?P<path>.+)/(?P<kind>manifests|blobs)/(?P<reference>[^/]+)")
_REGISTRY = "ns"
"""The parameter by which containerd tells a mirror which registry it means; docker mirrors only its own."""
_PASSED_TO = ("Accept", "Range", "If-None-Match")
_PASSED_BACK = (
    *("Content-Type", "Content-Length", "Content-Range", "Accept-Ranges", "Docker-Content-Digest", "Etag"),
)
CONNECT_SECONDS = 30.0
ANSWER_SECONDS = 600.0
CHUNK = 1 << 20


@dataclass
class Images:
    """What can be pulled: what the registry has, and what the filler brings when it is asked for."""

    store: RegistryStore
    connect: Callable[[], socket.socket]
    """To the registry."""
    fill: Callable[[Asked], None]
    _locks: dict[Asked, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def require(self, asked: Asked) -> ManifestList | None:
        """Fill the registry with it unless it is there; returns the list of manifests, if it is one.

        Three nodes that ask at once have it fetched once. Raises what `fill` raises.
        """
        with self._lock_of(asked):
            if self._is_there(asked):
                return None
            found = self.store.list_of(asked.reference)
            if found is None:
                self.fill(asked)
                found = self.store.list_of(asked.reference)
            return found

    def answer(
        self, method: str, asked: Asked, kind: str, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        """What the registry says; a list of manifests it does not have."""
        return self._ask(method, f"{API}/{asked.stored_as}/{kind}/{asked.reference}", headers)

    def _is_there(self, asked: Asked) -> bool:
        accepted = {"Accept": ", ".join(MANIFEST_TYPES)}
        with self.answer("HEAD", asked, "manifests", accepted) as said:
            return said.status == HTTPStatus.OK

    def _ask(self, method: str, path: str, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("registry")
        connection.sock = self.connect()
        connection.sock.settimeout(ANSWER_SECONDS)
        connection.request(method, path, headers={**headers, "Connection": "close"})
        return connection.getresponse()

    def _lock_of(self, asked: Asked) -> threading.Lock:
        with self._guard:
            return self._locks[asked]


MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


class Handler(BaseHTTPRequestHandler):
    """Pulls of images; nothing can be pushed."""

    protocol_version = "HTTP/1.1"

    def __init__(self, images: Images, *args: object) -> None:
        self._images = images
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        try:
            self._serve()
        except UnavailableError as error:
            JOURNAL.warning("pull-through: %s", error)
            self._refuse(HTTPStatus.NOT_FOUND, "MANIFEST_UNKNOWN", str(error))
        except (LabError, OSError) as error:
            JOURNAL.error("pull-through: %s: %s", self.path, error)
            self._refuse(HTTPStatus.BAD_GATEWAY, "UNKNOWN", str(error))

    def _serve(self) -> None:
        url = urlsplit(self.path)
        if url.path.rstrip("/") == API:
            self._say(HTTPStatus.OK, b"{}", {"Content-Type": "application/json"})
            return
        found = _PATH.fullmatch(url.path)
        if found is None:
            self._refuse(HTTPStatus.NOT_FOUND, "UNSUPPORTED", "only images can be pulled here")
            return
        registry = parse_qs(url.query).get(_REGISTRY, [DOCKER_HUB])[0]
        try:
            asked = Asked.of(registry, found["path"], found["reference"])
        except ValueError as error:
            self._refuse(HTTPStatus.NOT_FOUND, "NAME_INVALID", f"expected {error}")
            return
        if found["kind"] == "manifests" and (listed := self._images.require(asked)):
            headers = {"Content-Type": listed.media_type, "Docker-Content-Digest": asked.reference}
            self._say(HTTPStatus.OK, listed.text, headers)
            return
        self._hand_on(asked, found["kind"])

    def _hand_on(self, asked: Asked, kind: str) -> None:
        # skopeo says each type that it accepts on a line of its own.
        headers = {name: ", ".join(said) for name in _PASSED_TO if (said := self.headers.get_all(name))}
        with self._images.answer(self.command, asked, kind, headers) as answer:
            self.send_response(answer.status)
            for name in _PASSED_BACK:
                if (value := answer.getheader(name)) is not None:
                    self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                shutil.copyfileobj(answer, self.wfile, CHUNK)

    def _refuse(self, status: HTTPStatus, code: str, why: str) -> None:
        said = json.dumps({"errors": [{"code": code, "message": why}]}).encode()
        self._say(status, said, {"Content-Type": "application/json"})

    def _say(self, status: HTTPStatus, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


def main() -> None:
    root, door, port = sys.argv[1:]
    folder = LabFolder(Path(root))
    journal.start()
    journal.keep_in(folder.log)
    site, store = Enclosure(folder), RegistryStore()
    filler = Filler(store, f"127.0.0.1:{port}", site.network_command, SilentProgress())
    images = Images(store, lambda: site.connect("127.0.0.1", int(port), CONNECT_SECONDS), filler.fill)
    server_on(socket.socket(fileno=int(door)), partial(Handler, images)).serve_forever()


if __name__ == "__main__":
    main()
