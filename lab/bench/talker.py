"""The program talk.pl, running in a network namespace of the lab: it asks or echoes."""

from __future__ import annotations

import contextlib
import queue
import shlex
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from lab.foundation.errors import LabError
from lab.foundation.process import end_with_pipes, start_with_pipes
from lab.packets.protocols import Protocol
from lab.packets.spots import Spot

PROGRAM = Path(__file__).with_name("talk.pl")
PORT = 7999
"""Where messages are echoed; no part of Kubernetes uses it."""
LIMIT = 300.0
"""Seconds for a batch of messages, or for the program's start, on an emulated node that is busy."""
END_LIMIT = 30.0
ENDING = 2.0
"""Seconds between the end of a program's output and its own."""


class NoEchoError(LabError):
    """Messages do not come back: nobody is there, or the mode does not let them through."""


@dataclass(frozen=True)
class Told:
    """What the program that asks says of its round trips."""

    seconds: float
    repeated: int
    p50: float
    p99: float


class Talker:
    """The program in the namespace of `spot`."""

    def __init__(self, spot: Spot, process: subprocess.Popen[bytes]) -> None:
        self._spot = spot
        self._process = process
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def ask(self, protocol: Protocol, address: IPv4Address, size: int, rounds: int) -> Told:
        """So many round trips with messages of `size` bytes.

        Raises NoEchoError when messages stay without an echo, LabError when the program is gone.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # what it said last tells why it is gone
            self._process.stdin.write(f"{protocol} {address} {PORT} {size} {rounds}\n".encode())
            self._process.stdin.flush()
        line = self.line()
        if line.startswith("failed"):
            raise NoEchoError(
                f"no echo from {address} for {self._spot} by {protocol}",
                details=line.removeprefix("failed").strip(),
            )
        seconds, repeated, p50, p99 = line.split()
        return Told(float(seconds), int(repeated), float(p50), float(p99))

    def line(self) -> str:
        """What it says next. Raises LabError when it says nothing."""
        try:
            line = self._lines.get(timeout=LIMIT)
        except queue.Empty:
            line = None
        if line is None:
            raise LabError(
                f"the program that measures on {self._spot} has ended, or says nothing for {LIMIT:.0f} s",
                details=self._complaint(),
                resolution="run the same command again; `lab status` shows whether the node runs",
            )
        return line

    def end(self) -> None:
        """Let it end: it does when its standard input does."""
        end_with_pipes(self._process, [self._reader], END_LIMIT)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for raw in self._process.stdout:
            self._lines.put(raw.decode(errors="replace").strip())
        self._lines.put(None)

    def _complaint(self) -> str:
        try:
            self._process.wait(ENDING)
        except subprocess.TimeoutExpired:
            return "it still runs"
        assert self._process.stderr is not None
        return self._process.stderr.read().decode(errors="replace").strip()


@contextmanager
def asking(spot: Spot) -> Iterator[Talker]:
    """Someone who asks in that namespace."""
    talker = _start(spot, "ask")
    try:
        yield talker
    finally:
        talker.end()


@contextmanager
def echoing(spot: Spot) -> Iterator[None]:
    """Someone who echoes in that namespace, on PORT of all its addresses.

    Raises LabError when the port is taken.
    """
    talker = _start(spot, f"serve {PORT}")
    try:
        said = talker.line()
        if said != "ready":
            raise LabError(f"nobody can echo on {spot}, port {PORT}", details=said)
        yield
    finally:
        talker.end()


def _start(spot: Spot, words: str) -> Talker:
    program = shlex.quote(PROGRAM.read_text(encoding="utf-8"))
    script = f'{spot.enter}exec "${{enter[@]}}" perl -e {program} {words}'
    return Talker(spot, start_with_pipes(spot.machine.command(script)))
