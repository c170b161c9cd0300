"""Connections that begin on a node, over real SSH to a small server."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from lab.doors.places import Ways
from lab.operations.drills.from_node import FromNode
from tests.nodes.ssh_server import SshServer
from tests.stand_in_site import Here


@pytest.fixture
def from_node(tmp_path: Path) -> Iterator[FromNode]:
    paramiko.ECDSAKey.generate().write_private_key_file(str(tmp_path / "key"))
    server = SshServer()
    keys = server.known_to(tmp_path / "key")
    yield FromNode(Ways(Here(), {"m1": "127.0.0.1"}, keys, server.port), "m1")
    server.close()


def test_both_directions_and_the_end(from_node: FromNode) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = from_node.connect("127.0.0.1", listener.getsockname()[1], 10.0)
        theirs, _ = listener.accept()
        with ours, theirs:
            ours.sendall(b"asked")
            assert theirs.recv(100) == b"asked"
            theirs.sendall(b"answered")
            assert ours.recv(100) == b"answered"
            theirs.shutdown(socket.SHUT_RDWR)
            assert ours.recv(100) == b""


def test_a_port_on_which_nobody_listens(from_node: FromNode) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(OSError, match=str(port)):
        from_node.connect("127.0.0.1", port, 5.0)
