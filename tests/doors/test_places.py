"""Ways to a place: from the host side of the lab, and through the sshd of a node."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
import pytest

from lab.doors.places import Place, Ways
from lab.doors.streams import ChannelStream, SocketStream, Stream
from tests.nodes.ssh_server import SshServer
from tests.stand_in_site import Here

AWAY = "127.0.0.9"
"""A node that nobody reaches."""


@dataclass
class Selective(Here):
    """The host side, which has no way to one address."""

    tried: list[tuple[str, int]] = field(default_factory=list)

    def connect(self, address: str, port: int, seconds: float | None) -> socket.socket:
        self.tried.append((address, port))
        if address == AWAY:
            raise TimeoutError("timed out")
        return super().connect(address, port, seconds)


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("keys") / "key"
    paramiko.ECDSAKey.generate().write_private_key_file(str(file))
    return file


@pytest.fixture
def sshd() -> Iterator[SshServer]:
    server = SshServer()
    yield server
    server.close()


@pytest.fixture
def web() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as door:
        door.settimeout(10)
        yield door


def ways(site: Here, sshd: SshServer, key_file: Path) -> Ways:
    nodes = {"node-away": AWAY, "k8s-node1": "127.0.0.1"}
    return Ways(site, nodes, sshd.known_to(key_file), sshd.port)


def place_of(web: socket.socket, *nodes: str, direct: bool = False) -> Place:
    return Place("127.0.0.1", web.getsockname()[1], direct, nodes)


def talk(stream: Stream, web: socket.socket) -> None:
    answering, _ = web.accept()
    with answering:
        stream.send(b"hello")
        stream.end_sending()
        assert answering.recv(10) == b"hello"
        assert answering.recv(10) == b""
        answering.sendall(b"goodbye")
    assert stream.receive() == b"goodbye"
    assert stream.receive() == b""
    stream.close()


def test_an_address_of_a_network_is_reached_from_there(
    sshd: SshServer, web: socket.socket, key_file: Path
) -> None:
    stream = ways(Here(), sshd, key_file).connect(place_of(web, "k8s-node1", direct=True))
    assert isinstance(stream, SocketStream)
    talk(stream, web)
    assert sshd.connections == 0


def test_others_are_reached_through_a_node_by_one_connection(
    sshd: SshServer, web: socket.socket, key_file: Path
) -> None:
    lab = ways(Here(), sshd, key_file)
    for _ in range(3):
        stream = lab.connect(place_of(web, "k8s-node1"))
        assert isinstance(stream, ChannelStream)
        talk(stream, web)
    assert sshd.connections == 1


def test_a_node_that_is_away_is_passed_over_and_comes_last_then(
    sshd: SshServer, web: socket.socket, key_file: Path
) -> None:
    site = Selective()
    lab = ways(site, sshd, key_file)
    for _ in range(2):
        talk(lab.connect(place_of(web, "node-away", "k8s-node1")), web)
    assert site.tried == [(AWAY, sshd.port), ("127.0.0.1", sshd.port)]


def test_a_connection_to_a_node_that_broke_is_opened_again(
    sshd: SshServer, web: socket.socket, key_file: Path
) -> None:
    lab = ways(Here(), sshd, key_file)
    talk(lab.connect(place_of(web, "k8s-node1")), web)
    sshd.break_connections()
    talk(lab.connect(place_of(web, "k8s-node1")), web)
    assert sshd.connections == 2


def test_where_nobody_listens_the_reason_is_told(sshd: SshServer, key_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        nobody = place_of(door, "k8s-node1")
    with pytest.raises(OSError, match=f"{nobody} from k8s-node1: Connect failed$"):
        ways(Here(), sshd, key_file).connect(nobody)
    refused = Place(nobody.address, nobody.port, direct=True, nodes=("k8s-node1",))
    connections = sshd.connections
    with pytest.raises(ConnectionRefusedError):
        ways(Here(), sshd, key_file).connect(refused)
    assert sshd.connections == connections, "who refuses from there is asked once"


def test_what_waits_on_a_stream_that_is_given_up_wakes(
    sshd: SshServer, web: socket.socket, key_file: Path
) -> None:
    for direct in (True, False):
        stream = ways(Here(), sshd, key_file).connect(place_of(web, "k8s-node1", direct=direct))
        web.accept()
        stream.give_up()
        assert stream.receive() == b""
