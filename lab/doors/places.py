"""Where in a lab something listens, and connections there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from paramiko import Channel, Transport
from paramiko.ssh_exception import SSHException

from lab.doors.streams import ChannelStream, SocketStream, Stream
from lab.foundation.errors import LabError
from lab.foundation.journal import JOURNAL
from lab.host.site import Site
from lab.nodes.connection import CONNECT_SECONDS, connection_to, open_connection
from lab.nodes.keys import KeyFiles

UNANSWERED_MS = 60_000
"""After which a node that acknowledges nothing counts as gone: TCP_USER_TIMEOUT, tcp(7)."""
ALIVE_SECONDS = 15
SSH_PORT = 22
ORIGIN = ("127.0.0.1", 0)
"""Of a connection, as sshd is told (RFC 4254, 7.2); it only writes it down."""

_BROKEN = (OSError, SSHException, EOFError)


@dataclass(frozen=True)
class Place:
    """An address of a lab, and from where it can be reached."""

    address: str
    port: int
    direct: bool
    """Whether the host side of the lab has a network in which the address is."""
    nodes: tuple[str, ...] = ()
    """From which it can be reached too, the likeliest first."""

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


class Ways:
    """Connects to places of one lab. Safe to share between threads."""

    def __init__(
        self, site: Site, addresses: Mapping[str, str], keys: KeyFiles, port: int = SSH_PORT
    ) -> None:
        """`addresses` are those of the nodes' sshd by node name; `keys` let root in."""
        self._site = site
        self._tunnels = {node: _Tunnel(site, address, port, keys) for node, address in addresses.items()}
        self._last = ""

    def connect(self, place: Place) -> Stream:
        """A connection there. Raises OSError with the last reason when there is none on any way."""
        reason = OSError(f"there is no way to {place}")
        if place.direct:
            try:
                return SocketStream(self._site.connect(place.address, place.port, CONNECT_SECONDS))
            except ConnectionRefusedError:
                raise
            except OSError as error:
                reason = error
        for node in self._ordered(place.nodes):
            try:
                channel = self._tunnels[node].open(place.address, place.port)
            except (*_BROKEN, LabError) as error:
                reason = OSError(f"{place} from {node}: {_why(error)}")
                JOURNAL.info("forward: %s", reason)
            else:
                self._last = node
                return channel
        raise reason

    def _ordered(self, nodes: Sequence[str]) -> Sequence[str]:
        """The node by which it went the last time comes first."""
        return sorted(nodes, key=lambda node: node != self._last)


class _Tunnel:
    """Root's SSH connection to one node for connections that its sshd makes.

    It is opened on first use, and again after it broke.
    """

    def __init__(self, site: Site, address: str, port: int, keys: KeyFiles) -> None:
        self._site = site
        self._keys = keys
        self._lock = threading.Lock()
        self._connection = connection_to(address, keys, port=port)

    def open(self, address: str, port: int) -> Stream:
        """A connection from the node to that address (direct-tcpip, RFC 4254, 7.2).

        Raises OSError, SSHException, EOFError or LabError.
        """
        transport, opened_now = self._transport()
        try:
            return ChannelStream(_channel(transport, address, port))
        except SSHException:
            if opened_now or transport.is_active():
                raise
        except (OSError, EOFError):
            if opened_now:
                raise
            transport.close()
        # It was found broken: the node was away meanwhile, as after a rebuild.
        transport, _ = self._transport()
        return ChannelStream(_channel(transport, address, port))

    def _transport(self) -> tuple[Transport, bool]:
        """The connection to the node, and whether it was opened just now."""
        connection = self._connection
        with self._lock:
            if connection.is_connected:
                return connection.transport, False
            connected = self._site.connect(connection.host, connection.port, CONNECT_SECONDS)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED_MS)
            open_connection(connection, self._keys, connected)
            connection.transport.set_keepalive(ALIVE_SECONDS)
            return connection.transport, True


def _why(error: Exception) -> str:
    return str(getattr(error, "text", "")) or str(error) or type(error).__name__


def _channel(transport: Transport, address: str, port: int) -> Channel:
    return transport.open_channel("direct-tcpip", (address, port), ORIGIN, timeout=CONNECT_SECONDS)
