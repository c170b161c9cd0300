"""Bytes through a relay, over real sockets of loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from queue import Queue

import pytest

from lab.doors.relay import Reach, relay
from lab.doors.streams import SocketStream, Stream
from lab.foundation.errors import LabError

SECONDS = 10.0
LARGE = b"0123456789abcdef" * (1 << 16)
Open = Callable[[Reach], int]


@pytest.fixture
def told() -> Queue[str]:
    return Queue()


@pytest.fixture
def opened(told: Queue[str]) -> Iterator[Open]:
    """Lets a relay to that destination run, and says its port."""
    ended = threading.Event()
    threads = []

    def start(reach: Reach) -> int:
        door = socket.create_server(("127.0.0.1", 0))
        arguments = ({door: reach}, lambda: not ended.is_set(), told.put)
        threads.append(threading.Thread(target=relay, args=arguments))
        threads[-1].start()
        return int(door.getsockname()[1])

    yield start
    ended.set()
    for thread in threads:
        thread.join()


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as door:
        door.settimeout(SECONDS)
        yield door


def to(server: socket.socket) -> Reach:
    return lambda: SocketStream(socket.create_connection(server.getsockname()))


def client(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=SECONDS)


def all_of(connection: socket.socket) -> bytes:
    pieces = []
    while piece := connection.recv(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


def send_and_end(connection: socket.socket) -> None:
    connection.sendall(LARGE)
    connection.shutdown(socket.SHUT_WR)


def send_forever(connection: socket.socket) -> None:
    while True:
        connection.sendall(LARGE)


def test_a_direction_that_ended_leaves_the_other_open(opened: Open, server: socket.socket) -> None:
    with client(opened(to(server))) as asking:
        sender = threading.Thread(target=send_and_end, args=(asking,))
        sender.start()
        answering, _ = server.accept()
        with answering:
            answering.settimeout(SECONDS)
            assert all_of(answering) == LARGE
            answering.sendall(LARGE)
        assert all_of(asking) == LARGE
        sender.join()


def test_a_server_that_breaks_off_ends_the_client(opened: Open, server: socket.socket) -> None:
    with client(opened(to(server))) as asking:
        asking.sendall(b"hello")
        answering, _ = server.accept()
        answering.close()  # with data that was not read: a reset
        with pytest.raises(ConnectionError):
            send_forever(asking)


def test_a_client_that_goes_ends_the_connection_in_the_lab(opened: Open, server: socket.socket) -> None:
    asking = client(opened(to(server)))
    answering, _ = server.accept()
    with answering:
        answering.settimeout(SECONDS)
        asking.close()
        assert answering.recv(1) == b""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (LabError("there is no Service a in the lab", details="more"), "there is no Service a in the lab"),
    ],
)
def test_who_cannot_be_reached_is_told_and_the_next_one_is_tried_again(
    opened: Open, told: Queue[str], server: socket.socket, error: Exception, said: str
) -> None:
    answers: list[Exception | None] = [error, None]

    def reach() -> Stream:
        if (failure := answers.pop(0)) is not None:
            raise failure
        return to(server)()

    port = opened(reach)
    with client(port) as refused, pytest.raises(ConnectionResetError):
        refused.recv(1)
    assert told.get(timeout=SECONDS).endswith(said)
    with client(port) as asking:
        asking.sendall(b"again")
        answering, _ = server.accept()
        with answering:
            assert answering.recv(5) == b"again"
