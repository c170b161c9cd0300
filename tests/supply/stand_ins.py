"""Mirrors for tests, on the loopback of a network namespace: good ones, and some that misbehave."""

from __future__ import annotations

import ctypes
import gzip
import hashlib
import io
import json
import os
import socket
import ssl
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path

from lab.cluster.pki import KeyPair, Subject, issue
from lab.foundation.progress import SilentProgress
from lab.foundation.wait import Deadline, NotYetError, wait_for

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
BEARER = "for-everybody"
"""What a stand-in gives as a token."""
CLONE_NEWNET = 0x40000000
"""linux/sched.h"""


@contextmanager
def own_network() -> Iterator[None]:
    """This thread, and those it starts, in a network namespace with nothing but a loopback device."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        assert libc.unshare(CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield
    finally:
        assert libc.setns(before, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        os.close(before)


class Notes(SilentProgress):
    """Keeps what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


class Conduct(Enum):
    """How a stand-in serves contents (manifests and answers to probes are always right)."""

    GOOD = auto()
    CUT_OFF_ONCE = auto()
    """The first answer for each path ends in the middle."""
    CUT_OFF = auto()
    """Every answer ends in the middle of what it began with."""
    WRONG = auto()
    SLOW = auto()
    LACKING = auto()
    BUSY_TWICE = auto()
    """A registry that answers its first two requests for a manifest or a content with 429."""
    BUSY = auto()
    """The same, always."""
    SILENT = auto()
    """Contents are not answered for as long as the server is there."""


@dataclass(frozen=True)
class Asked:
    """A request for a content."""

    path: str
    first: int
    """The first byte asked for."""


class StandIn:
    """An HTTP server on the loopback that serves `contents` by path."""

    def __init__(
        self,
        contents: Mapping[str, bytes],
        conduct: Conduct = Conduct.GOOD,
        *,
        wants_token: bool = False,
        head: bool = True,
        certificate: Path | None = None,
    ) -> None:
        """`wants_token`: a registry that gives one to whoever asks. `head`: whether HEAD is allowed.

        `certificate`: a file with certificate and key, for TLS.
        """
        self.contents = dict(contents)
        self.conduct = conduct
        self.asked: list[Asked] = []
        self.sent = 0
        """Bytes of contents and manifests."""
        self.heads = 0
        """Requests by HEAD, with which every probe begins."""
        self.refused = 0
        """Requests that were answered with 429."""
        self._wants_token = wants_token
        self._head = head
        self._closed = threading.Event()
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stand_in.answer(self)

            def do_HEAD(self) -> None:
                stand_in.answer_head(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()

    def answer_head(self, request: BaseHTTPRequestHandler) -> None:
        self.heads += 1
        is_content = request.path not in ("/", "/v2/")
        if self.conduct is Conduct.SILENT and is_content:
            self._closed.wait()
        lacking = is_content and request.path not in self.contents
        request.send_response(404 if lacking else 200 if self._head or not is_content else 405)
        request.end_headers()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path
        if self._wants_token and not self._is_let_in(request):
            return
        content = self.contents.get(path)
        if path == "/v2/":
            content = b"{}"
        is_content = not path.endswith("/v2/") and "/manifests/" not in path
        if path != "/v2/" and self._is_busy():
            request.send_response(429)
            # skopeo waits that long before it asks again, and without it up to half a minute.
            request.send_header("Retry-After", "1")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        if content is None or (self.conduct is Conduct.LACKING and is_content):
            request.send_error(404)
            return
        begin, _, end = request.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        first, last = int(begin), int(end) + 1 if end else None
        whole = not is_content or self.conduct in (Conduct.GOOD, Conduct.LACKING, Conduct.BUSY_TWICE)
        whole = whole or (
            self.conduct is Conduct.CUT_OFF_ONCE and any(each.path == path for each in self.asked)
        )
        if is_content:
            self.asked.append(Asked(path, first))
        if self.conduct is Conduct.WRONG and is_content:
            content = bytes([content[0] ^ 1]) + content[1:]
        rest = content[first:last]
        self.sent += len(rest) if path in self.contents else 0
        request.send_response(206 if first or last else 200)
        request.send_header("Content-Length", str(len(rest)))
        if "/manifests/" in path:
            request.send_header("Content-Type", LIST if b'"manifests"' in content else MANIFEST)
        request.end_headers()
        if whole or self.conduct is Conduct.WRONG:
            request.wfile.write(rest)
        elif self.conduct is Conduct.SLOW:
            for start in range(0, len(rest), 100):
                request.wfile.write(rest[start : start + 100])
                time.sleep(0.1)
        else:
            request.wfile.write(rest[: max(0, len(content) // 2 - first)])
            request.close_connection = True

    def _is_busy(self) -> bool:
        most = {Conduct.BUSY_TWICE: 2, Conduct.BUSY: self.refused + 1}.get(self.conduct, 0)
        if self.refused >= most:
            return False
        self.refused += 1
        return True

    def _is_let_in(self, request: BaseHTTPRequestHandler) -> bool:
        """A registry's way to a token (https://distribution.github.io/distribution/spec/auth/token/)."""
        if request.headers.get("Authorization") == f"Bearer {BEARER}":
            return True
        if request.path.startswith("/token"):
            answer = json.dumps({"token": BEARER}).encode()
            request.send_response(200)
        else:
            answer = b""
            request.send_response(401)
            realm = f'Bearer realm="http://{self.host}/token",service="stand-in"'
            request.send_header("WWW-Authenticate", realm)
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)
        return False


@contextmanager
def silent_host() -> Iterator[str]:
    """A host that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def closed_host() -> str:
    """A host where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


class SmallImage:
    """An image with one layer that holds one program."""

    def __init__(self, program: str, content: bytes, architecture: str) -> None:
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as archive:
            member = tarfile.TarInfo(program)
            member.size, member.mode = len(content), 0o755
            archive.addfile(member, io.BytesIO(content))
        self.layer = gzip.compress(tar.getvalue(), mtime=0)
        rootfs = {"type": "layers", "diff_ids": [_digest(tar.getvalue())]}
        self.config = _json({"os": "linux", "architecture": architecture, "config": {}, "rootfs": rootfs})
        self.manifest = _json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": _described("application/vnd.docker.container.image.v1+json", self.config),
                "layers": [_described("application/vnd.docker.image.rootfs.diff.tar.gzip", self.layer)],
            }
        )
        self.index = _json(
            {
                "schemaVersion": 2,
                "mediaType": LIST,
                "manifests": [
                    _listed(b"{}", "s390x"),
                    _listed(self.manifest, architecture),
                ],
            }
        )

    def served_as(self, name: str, tag: str, *, listed: bool = False) -> dict[str, bytes]:
        """The image's paths in a registry."""
        return {
            f"/v2/{name}/manifests/{tag}": self.index if listed else self.manifest,
            f"/v2/{name}/manifests/{_digest(self.manifest)}": self.manifest,
            f"/v2/{name}/blobs/{_digest(self.config)}": self.config,
            f"/v2/{name}/blobs/{_digest(self.layer)}": self.layer,
        }

    @property
    def digest(self) -> str:
        return _digest(self.manifest)

    def write(self, folder: Path) -> None:
        """As skopeo's transport `dir:` has it."""
        folder.mkdir()
        (folder / "version").write_text("Directory Transport Version: 1.1\n")
        (folder / "manifest.json").write_bytes(self.manifest)
        for blob in (self.config, self.layer):
            (folder / hashlib.sha256(blob).hexdigest()).write_bytes(blob)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _described(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "size": len(content), "digest": _digest(content)}


def _listed(manifest: bytes, architecture: str) -> dict[str, object]:
    return {**_described(MANIFEST, manifest), "platform": {"os": "linux", "architecture": architecture}}


def loopback_certificate(authority: KeyPair, folder: Path) -> Path:
    """A file with certificate and key of a server at 127.0.0.1."""
    pair = issue(authority, Subject("registry", addresses=(IPv4Address("127.0.0.1"),), server=True))
    file = folder / "registry.pem"
    file.write_text(pair.certificate + pair.key)
    return file


@contextmanager
def real_registry(
    folder: Path, source: str, name: str, *, certificate: Path | None = None
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """docker-registry on the loopback, with the image that skopeo finds at `source`; its host and process.

    `name` is the image's there: PATH:TAG. `certificate`: a file with certificate and key, for TLS.
    """
    host, settings = closed_host(), folder / "registry.yml"
    tls = f", tls: {{certificate: {certificate}, key: {certificate}}}" if certificate else ""
    settings.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder / 'storage'}}}}}\n"
        f"http: {{addr: '{host}'{tls}}}\n"
    )
    server = subprocess.Popen(
        ["docker-registry", "serve", settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    words = ["skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", source]

    def filled() -> None:
        done = subprocess.run(
            [*words, f"docker://{host}/{name}"], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise NotYetError(done.stderr)

    try:
        wait_for(filled, what="the registry takes an image", deadline=Deadline(60), interval=0.2)
        yield host, server
    finally:
        server.terminate()
        server.wait()
