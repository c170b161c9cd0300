"""Sockets in another network namespace than this process's own.

A socket belongs to the namespace it was made in, whoever holds it later. So a child that lives there makes
them and hands them over (SCM_RIGHTS, unix(7)). This process stays where it is: it has threads, and a process
with threads cannot enter a user namespace (setns(2), EINVAL).
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from lab.foundation.errors import LabError
from lab.host import socket_maker

ANY_PORT = 0


class Sockets:
    """Opens sockets in network namespaces. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._maker: _Maker | None = None

    def connect(self, enter: Sequence[str], address: str, port: int, seconds: float | None) -> socket.socket:
        """A TCP connection to that IP address from where `enter`, words before a command, leads.

        Small writes are sent at once. Raises OSError when there is no connection within `seconds`, LabError
        when `enter` leads nowhere.
        """
        made = self._made(enter, address)
        try:
            made.settimeout(seconds)
            made.connect((address, port))
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            made.close()
            raise
        return made

    def listen(self, enter: Sequence[str], address: str) -> socket.socket:
        """Listens there at that IP address and a port that the kernel chooses. Raises like `connect`."""
        made = self._made(enter, address)
        try:
            made.bind((address, ANY_PORT))
            made.listen()
        except BaseException:
            made.close()
            raise
        return made

    def _made(self, enter: Sequence[str], address: str) -> socket.socket:
        family = socket.AF_INET if ip_address(address).version == 4 else socket.AF_INET6
        with self._lock:
            if self._maker is None or self._maker.enter != tuple(enter):
                self._maker = _Maker.start(enter)
            try:
                return self._maker.make(family)
            except OSError as error:
                maker, self._maker = self._maker, None
                raise maker.failure() from error


@dataclass(frozen=True)
class _Maker:
    """The child; it ends when its door is closed, at the latest with this process."""

    enter: tuple[str, ...]
    child: subprocess.Popen[str]
    door: socket.socket

    @classmethod
    def start(cls, enter: Sequence[str]) -> _Maker:
        ours, theirs = socket.socketpair()
        with theirs:
            child = subprocess.Popen(
                [*enter, sys.executable, "-I", "-S", str(Path(socket_maker.__file__))],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
                text=True,
            )
        return cls(tuple(enter), child, ours)

    def make(self, family: socket.AddressFamily) -> socket.socket:
        """Raises OSError when the child is gone."""
        self.door.send(bytes([family]))
        _, made, _, _ = socket.recv_fds(self.door, 1, 1, socket.MSG_CMSG_CLOEXEC)
        if not made:
            raise OSError("the door is closed")
        return socket.socket(fileno=made[0])

    def failure(self) -> LabError:
        """Why there was no socket; ends the child."""
        self.door.close()
        _, said = self.child.communicate()
        return LabError("cannot enter the network of the lab", details=said.strip(), resolution="run as root")
