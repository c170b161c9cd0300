"""One SSH connection to one node: commands and scripts in, results out."""

from __future__ import annotations

import io
import logging
import shlex
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from fabric import Config, Connection
from invoke.exceptions import CommandTimedOut
from invoke.runners import Result as InvokeResult
from paramiko import RejectPolicy
from paramiko.ssh_exception import SSHException

from lab.foundation.errors import LabError
from lab.foundation.journal import JOURNAL
from lab.foundation.wait import Deadline, wait_for
from lab.host.site import Site
from lab.nodes.files import NodeFile, write_files
from lab.nodes.keys import KeyFiles

TAIL_LINES = 30
CONNECT_SECONDS = 10
GREETING_SECONDS = 60
"""A busy node without KVM takes long to let somebody in."""
GREETING_BYTES = 255
"""The most that an SSH identification string has, RFC 4253, section 4.2."""
LONGEST_SCRIPT = 120_000
"""Bytes. Linux hands a program at most 128 KiB in one argument (MAX_ARG_STRLEN), and sshd runs what it is
sent as one argument of the shell."""

# What goes wrong is raised; without a handler Python would print it too, in the middle of the output.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

_UNREACHABLE = (OSError, SSHException, EOFError)


@dataclass(frozen=True)
class Command:
    """A program and its arguments; no shell looks at them."""

    words: tuple[str, ...]

    def __str__(self) -> str:
        return shlex.join(self.words)


@dataclass(frozen=True)
class Script:
    """Bash text that ends at its first failing command."""

    text: str
    name: str = "a script"
    """What it does, for error messages."""

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Result:
    """What a command on a node printed, and its exit status."""

    node: str
    status: int
    stdout: str
    stderr: str


class NodeCommandError(LabError):
    """A command on a node ended with a status other than 0, or ran out of time."""

    def __init__(self, command: Command | Script, result: Result, why: str) -> None:
        output = (result.stderr.strip() or result.stdout.strip()).splitlines()[-TAIL_LINES:]
        super().__init__(
            f"node {result.node}: {command}: {why}",
            details="\n".join(output) or "it printed nothing",
            resolution=f"look at the node with `lab ssh {result.node}`, then run the same command again",
        )
        self.result = result


def connection_to(address: str, keys: KeyFiles, *, user: str = "root", port: int = 22) -> Connection:
    """By these keys alone, not opened yet; no settings or keys of this host's user are looked at."""
    return Connection(
        address,
        user=user,
        port=port,
        config=Config(overrides={"load_ssh_configs": False}, lazy=True),
        connect_timeout=CONNECT_SECONDS,
        connect_kwargs={
            "key_filename": str(keys.private),
            "look_for_keys": False,
            "allow_agent": False,
            "banner_timeout": GREETING_SECONDS,
            "auth_timeout": GREETING_SECONDS,
        },
    )


def open_connection(connection: Connection, keys: KeyFiles, connected: socket.socket) -> None:
    """Open it over that socket, to a node with a known host key and to nobody else.

    Raises LabError when no host keys are on record, SSHException for another host key.
    """
    try:
        connection.client.load_host_keys(str(keys.known_hosts))
    except FileNotFoundError:
        connected.close()
        raise LabError(
            f"the nodes of the lab have no SSH keys of their own yet: {keys.known_hosts} is missing",
            resolution="run the same `lab up` again",
        ) from None
    connection.client.set_missing_host_key_policy(RejectPolicy())
    connection.connect_kwargs["sock"] = connected
    connection.open()


class NodeConnection:
    """Root's SSH connection to one node, opened on first use and again after it broke.

    Safe to share between threads; one command runs at a time.
    """

    def __init__(
        self, node: str, address: str, keys: KeyFiles, site: Site, *, user: str = "root", port: int = 22
    ) -> None:
        self.node = node
        self._site = site
        self._keys = keys
        self._lock = threading.RLock()
        self._connection = connection_to(address, keys, user=user, port=port)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def wait_until_answers(self, deadline: Deadline, on_wait: Callable[[str], None] | None = None) -> None:
        """Try to connect until the node lets root in. Raises TimedOutError with the last refusal."""
        wait_for(
            self._open,
            what=f"node {self.node}: ssh",
            deadline=deadline,
            retry_on=_UNREACHABLE,
            on_wait=on_wait,
            resolution=f"look at the console of {self.node} in the logs of the lab",
        )

    def why_silent(self, seconds: float) -> str | None:
        """Why the node's sshd does not greet within `seconds`; None when it does. No connection is kept."""
        try:
            with self._connect(seconds) as connection:
                greeting = connection.recv(GREETING_BYTES)
        except OSError as error:
            return str(error)
        return None if greeting.startswith(b"SSH-") else "it accepts the connection and closes it"

    def run(
        self,
        what: Command | Script,
        *,
        check: bool = True,
        timeout: float = 600.0,
        on_line: Callable[[str], None] | None = None,
    ) -> Result:
        """Run it to its end, for at most `timeout` seconds; `on_line` gets each line of stdout as it comes.

        Raises NodeCommandError on a status other than 0 (with `check`) and when time runs out, and LabError
        when the node cannot be reached or the connection breaks.
        """
        line = _as_command_line(what)
        JOURNAL.info("node %s: run: %s", self.node, what)
        with self._lock:
            try:
                self._open()
                started = time.monotonic()
                done = self._connection.run(
                    line,
                    hide=on_line is None or "stderr",
                    warn=True,
                    in_stream=False,
                    timeout=timeout,
                    out_stream=_Lines(on_line) if on_line is not None else None,
                )
            except CommandTimedOut as late:
                self.close()
                raise self._too_late(what, timeout, late.result) from late
            except _UNREACHABLE as error:
                self.close()
                raise LabError(
                    f"node {self.node}: {what}: the connection broke",
                    details=str(error) or type(error).__name__,
                    resolution="`lab status` shows whether the node runs; run the same command again",
                ) from error
            if done.exited < 0 and time.monotonic() - started >= timeout:
                # The timer's thread has closed the channel and not ended yet, so invoke saw no timeout.
                self.close()
                raise self._too_late(what, timeout, done)
        result = Result(self.node, done.exited, done.stdout, done.stderr)
        took = time.monotonic() - started
        JOURNAL.info("node %s: status %d after %.1f s: %s", self.node, result.status, took, what)
        if check and result.status != 0:
            raise NodeCommandError(what, result, f"exit status {result.status}")
        return result

    def _too_late(self, what: Command | Script, timeout: float, printed: InvokeResult) -> NodeCommandError:
        result = Result(self.node, -1, printed.stdout, printed.stderr)
        return NodeCommandError(what, result, f"not finished after {timeout:.0f} s")

    def put_text(self, path: str, content: str, mode: int = 0o644) -> None:
        """Write a file on the node so that a reader there sees the old content or all of the new."""
        self.run(Script(write_files((NodeFile(path, content, mode),)), f"write {path}"))

    def read_text(self, path: str) -> str:
        """The content of a file on the node. Raises NodeCommandError when it is not there."""
        return self.run(Command(("cat", path))).stdout

    def _open(self) -> None:
        with self._lock:
            transport = self._connection.transport if self._connection.is_connected else None
            if transport is None:
                self._connection.close()
                open_connection(self._connection, self._keys, self._connect(CONNECT_SECONDS))
                self._connection.transport.set_keepalive(15)

    def _connect(self, seconds: float) -> socket.socket:
        return self._site.connect(self._connection.host, self._connection.port, seconds)


class _Lines(io.TextIOBase):
    """A stream that hands what is written to it on as lines."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest = ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._on_line(line)
        return len(text)


def _as_command_line(what: Command | Script) -> str:
    if isinstance(what, Command):
        return shlex.join(what.words)
    text = f"set -euo pipefail\n{what.text}"
    if len(text.encode()) > LONGEST_SCRIPT:
        raise LabError(f"{what}: the script has {len(text.encode())} bytes, more than {LONGEST_SCRIPT}")
    return text
