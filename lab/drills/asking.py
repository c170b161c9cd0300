"""HTTPS from this side to one server in a lab, with what a drill may know of each answer."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from lab.cluster.client_certificate import show
from lab.cluster.pki import KeyPair, Subject, issue
from lab.drills.sampler import NotAskedError, SilentError
from lab.foundation.errors import LabError


@dataclass(frozen=True)
class Answer:
    """What a server said."""

    status: int
    text: str

    @property
    def good(self) -> bool:
        return 200 <= self.status <= 299

    @property
    def reason(self) -> str:
        """What it said where it is not good: the message in a Status object, or the text itself."""
        try:
            said = str(json.loads(self.text)["message"])
        except (ValueError, KeyError, TypeError):
            said = self.text.strip().splitlines()[0] if self.text.strip() else "nothing"
        return f"{self.status}: {said[:200]}"


class Way(Protocol):
    """How one gets to a server: a site is one."""

    def connect(self, address: str, port: int, seconds: float | None) -> socket.socket:
        """Raises OSError when there is no connection in that time."""
        ...


@dataclass(frozen=True)
class Server:
    """Where to ask, as whom."""

    way: Way
    address: str
    port: int
    trust: ssl.SSLContext


class Asker:
    """A connection that stays open, and is opened anew after it broke. For one thread at a time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection: _Connection | None = None

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, seconds: float) -> Answer:
        """Raises SilentError without an answer in that time, NotAskedError when it could not be asked."""
        connection = self._connection or _Connection(self._server)
        self._connection = None
        connection.patience(seconds)
        try:
            headers = {"Content-Type": "application/json", "Accept": "application/json, */*"}
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            said = Answer(answer.status, answer.read().decode(errors="replace"))
        except LabError as error:
            connection.close()
            raise NotAskedError(error.brief) from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise SilentError(str(error) or type(error).__name__) from error
        self._connection = connection
        return said

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def ask_once(server: Server, method: str, path: str, *, seconds: float) -> Answer:
    """By a new connection, which is closed again. Raises like `Asker.ask`."""
    asker = Asker(server)
    try:
        return asker.ask(method, path, seconds=seconds)
    finally:
        asker.close()


class _Connection(http.client.HTTPSConnection):
    """Opened by the lab's site."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.address, server.port, context=server.trust)
        self._server = server

    def patience(self, seconds: float) -> None:
        """For each step of what follows."""
        self.timeout = seconds
        if self.sock is not None:
            self.sock.settimeout(seconds)

    def connect(self) -> None:
        plain = self._server.way.connect(self.host, self.port, self.timeout)
        try:
            self.sock = self._server.trust.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise


def trust_of(authority: KeyPair, subject: Subject) -> ssl.SSLContext:
    """For connections to servers with certificates of that authority, as the subject."""
    context = ssl.create_default_context(cadata=authority.certificate)
    show(context, issue(authority, subject))
    return context
