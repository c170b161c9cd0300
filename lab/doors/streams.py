"""Two ends of a forwarded connection, and what flows between them."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Protocol

from paramiko import Channel

PIECE = 1 << 16
"""Bytes that are passed on at once."""
IDLE_SECONDS = 30
"""After which a silent peer is asked whether it is there, tcp(7)."""


class Stream(Protocol):
    """One end: bytes in both directions, each of which ends by itself."""

    def receive(self) -> bytes:
        """What came next; empty at its end. Raises OSError when the connection broke."""
        ...

    def send(self, data: bytes) -> None:
        """All of it. Raises OSError when the connection broke."""
        ...

    def end_sending(self) -> None:
        """Tell the other side that nothing follows."""
        ...

    def give_up(self) -> None:
        """End both directions; who waits in `receive` or `send`, in another thread, is woken up."""
        ...

    def close(self) -> None: ...


class SocketStream:
    """A connected TCP socket of any network namespace. Vanished peers are noticed within minutes."""

    def __init__(self, connected: socket.socket) -> None:
        connected.settimeout(None)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE_SECONDS)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, IDLE_SECONDS)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connected

    def receive(self) -> bytes:
        return self._socket.recv(PIECE)

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def end_sending(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def give_up(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()


class ChannelStream:
    """A TCP connection that sshd of a node has made."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def receive(self) -> bytes:
        return bytes(self._channel.recv(PIECE))

    def send(self, data: bytes) -> None:
        self._channel.sendall(data)

    def end_sending(self) -> None:
        self._channel.shutdown_write()

    def give_up(self) -> None:
        self._channel.close()

    def close(self) -> None:
        self._channel.close()


def join(one: Stream, other: Stream) -> None:
    """Pass on what comes from either end, until both have ended or one broke; then close both."""
    back = threading.Thread(target=_pass_on, args=(other, one), daemon=True)
    back.start()
    _pass_on(one, other)
    back.join()
    one.close()
    other.close()


def _pass_on(source: Stream, target: Stream) -> None:
    try:
        while data := source.receive():
            target.send(data)
        target.end_sending()
    except (OSError, EOFError):
        source.give_up()
        target.give_up()
