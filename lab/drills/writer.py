"""A client that writes through the load balancer all the time, and remembers what was acknowledged."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from enum import StrEnum

from lab.drills.asking import Asker, Server
from lab.drills.clock import Clock
from lab.drills.sampler import NotAskedError, RefusedError, SilentError

PREFIX = "write-"
NAMESPACES = "/api/v1/namespaces"
PATIENT = 4
"""How many times longer the writer waits for what is done once."""


class Fate(StrEnum):
    """What the writer knows of a write."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """Sent, or partly sent, and never answered: it may be stored or not."""
    NOT_SENT = "not sent"


@dataclass(frozen=True)
class Write:
    """One write: an object of its own, so that each can be looked for."""

    name: str
    """What follows `PREFIX` in the object's name."""
    began: float
    ended: float
    """Both by the clock of the observation."""
    fate: Fate
    reason: str = ""


class Writer:
    """Writes one object after the other; the next one an interval after the last began, or when it ended."""

    def __init__(self, server: Server, clock: Clock, *, every: float, seconds: float) -> None:
        """`every` and `seconds`, the patience with one write, are in seconds."""
        self._asker = Asker(server)
        self._clock = clock
        self._every = every
        self._seconds = seconds
        self._lock = threading.Lock()
        self._writes: list[Write] = []
        self.namespace = f"lab-drill-{secrets.token_hex(4)}"
        """A new one: that of an earlier drill may still be on its way out."""

    @property
    def keys(self) -> str:
        """Prefix of the keys in etcd of what it writes."""
        return f"/registry/configmaps/{self.namespace}/{PREFIX}"

    @property
    def writes(self) -> tuple[Write, ...]:
        """Those that have ended."""
        with self._lock:
            return tuple(self._writes)

    @property
    def acknowledged(self) -> int:
        return sum(write.fate is Fate.ACKNOWLEDGED for write in self.writes)

    def prepare(self) -> None:
        """Make the namespace. Raises RefusedError, SilentError or NotAskedError."""
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        answer = self._asker.ask("POST", NAMESPACES, manifest, seconds=self._seconds * PATIENT)
        if not answer.good:
            raise RefusedError(answer.reason)

    def write_until(self, stopped: threading.Event) -> None:
        while not stopped.is_set():
            began = self._clock.now()
            with self._lock:
                number = len(self._writes)
            write = self._write(f"{number:06d}", began)
            with self._lock:
                self._writes.append(write)
            self._clock.sleep(max(0.0, began + self._every - self._clock.now()))
        self._asker.close()

    def clean(self) -> None:
        """Remove the namespace and what is in it. Raises SilentError or NotAskedError."""
        self._asker.ask("DELETE", f"{NAMESPACES}/{self.namespace}", seconds=self._seconds * PATIENT)
        self._asker.close()

    def _write(self, name: str, began: float) -> Write:
        manifest = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"{PREFIX}{name}", "namespace": self.namespace},
        }
        path = f"{NAMESPACES}/{self.namespace}/configmaps"
        try:
            answer = self._asker.ask("POST", path, manifest, seconds=self._seconds)
        except SilentError as error:
            return Write(name, began, self._clock.now(), Fate.UNKNOWN, str(error))
        except NotAskedError as error:
            return Write(name, began, self._clock.now(), Fate.NOT_SENT, str(error))
        fate = Fate.ACKNOWLEDGED if answer.good else Fate.REFUSED
        return Write(name, began, self._clock.now(), fate, "" if answer.good else answer.reason)
