"""Connections of a drill's client that begin on a node, for an API that nodes find on their loopback."""

from __future__ import annotations

import socket
import threading

from lab.doors.places import Place, Ways
from lab.doors.streams import SocketStream, join


class FromNode:
    """Goes by the SSH connection to one node, another than the lab's own, which are busy with scripts."""

    def __init__(self, ways: Ways, node: str) -> None:
        self._ways = ways
        self.node = node
        """May be another later; connections that are open stay."""

    def connect(self, address: str, port: int, seconds: float | None) -> socket.socket:
        """A connection to an address as the node sees it. Raises OSError when there is none."""
        stream = self._ways.connect(Place(address, port, direct=False, nodes=(self.node,)))
        ours, theirs = socket.socketpair()
        ours.settimeout(seconds)
        threading.Thread(target=join, args=(stream, _Pair(theirs)), daemon=True).start()
        return ours


class _Pair(SocketStream):
    """One of a pair of sockets of this process, which knows nothing of TCP."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
