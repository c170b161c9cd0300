"""Sockets of this process whose other end is on a node: for what listens on its loopback alone."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from paramiko import Channel

from lab.nodes.connection import NodeConnection

CHUNK = 65536


class Tunnel:
    """Connections by way of one node, over its SSH connection; another node may take its place."""

    def __init__(self, connection: NodeConnection) -> None:
        self._connection = connection

    @property
    def node(self) -> str:
        return self._connection.node

    def change_to(self, connection: NodeConnection) -> None:
        """Use another node from now on; what was opened before ends."""
        before, self._connection = self._connection, connection
        before.close()

    def close(self) -> None:
        self._connection.close()

    def connect(self, address: str, port: int, seconds: float | None) -> socket.socket:
        """A connection from the node to that address. Raises OSError when there is none in that time."""
        channel = self._connection.open_to(address, port, seconds)
        ours, theirs = socket.socketpair()
        ours.settimeout(seconds)
        for copy in (lambda: _to_node(theirs, channel), lambda: _from_node(channel, theirs)):
            threading.Thread(target=_quietly, args=(copy,), daemon=True).start()
        return ours


def _quietly(copy: Callable[[], None]) -> None:
    with suppress(OSError, EOFError):
        copy()


def _to_node(source: socket.socket, channel: Channel) -> None:
    try:
        while data := source.recv(CHUNK):
            channel.sendall(data)
    finally:
        channel.close()


def _from_node(channel: Channel, target: socket.socket) -> None:
    try:
        while data := channel.recv(CHUNK):
            target.sendall(data)
    finally:
        # Wakes the other thread as well.
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
        target.close()
