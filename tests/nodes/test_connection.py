"""Commands over a real SSH connection, to a small server of this test's own."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import paramiko
import pytest

from lab.foundation.errors import LabError
from lab.foundation.wait import Deadline, TimedOutError
from lab.nodes.connection import LONGEST_SCRIPT, Command, NodeCommandError, NodeConnection, Script
from lab.nodes.keys import KeyFiles
from tests.nodes.ssh_server import SshServer
from tests.stand_in_site import Here

CLOSED_SECONDS = 10
"""How long a client may take to see that its connection was closed."""


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("keys") / "key"
    paramiko.ECDSAKey.generate().write_private_key_file(str(file))
    return file


@pytest.fixture
def server() -> Iterator[SshServer]:
    server = SshServer()
    yield server
    server.close()


@pytest.fixture
def connection(server: SshServer, key_file: Path) -> Iterator[NodeConnection]:
    keys = server.known_to(key_file)
    with NodeConnection("k8s-node1", "127.0.0.1", keys, Here(), port=server.port) as connection:
        yield connection


@pytest.fixture(scope="module")
def keys(key_file: Path) -> KeyFiles:
    """No host is known."""
    return KeyFiles(key_file, key_file.parent / "known_hosts")


def test_words_of_a_command_reach_the_program_unchanged(connection: NodeConnection) -> None:
    words = ("two words", "$HOME", "it's", "", "*")
    done = connection.run(Command(("printf", "[%s]", *words)))
    assert done.stdout == "".join(f"[{word}]" for word in words)


def test_a_script_ends_at_its_first_failing_command(connection: NodeConnection) -> None:
    with pytest.raises(NodeCommandError) as caught:
        connection.run(Script("echo one\necho reason >&2\nfalse | cat\necho two", "the work"))
    assert caught.value.result.stdout == "one\n"
    assert "node k8s-node1: the work: exit status 1" in str(caught.value)
    assert "reason" in str(caught.value)


def test_a_failure_may_be_looked_at(connection: NodeConnection) -> None:
    assert connection.run(Command(("sh", "-c", "exit 3")), check=False).status == 3


def test_lines_come_while_the_script_runs(connection: NodeConnection) -> None:
    seen: list[tuple[str, float]] = []
    connection.run(
        Script("echo first\nsleep 1\necho second"),
        on_line=lambda line: seen.append((line, time.monotonic())),
    )
    assert [line for line, _ in seen] == ["first", "second"]
    assert seen[1][1] - seen[0][1] > 0.5


def test_time_runs_out(connection: NodeConnection) -> None:
    with pytest.raises(NodeCommandError, match="not finished after 1 s"):
        connection.run(Command(("sleep", "20")), timeout=1)
    assert connection.run(Command(("echo", "again"))).stdout == "again\n"


def test_one_login_serves_many_commands(connection: NodeConnection, server: SshServer) -> None:
    for _ in range(3):
        connection.run(Command(("true",)))
    assert server.connections == 1


def test_a_connection_that_broke_is_opened_again(connection: NodeConnection, server: SshServer) -> None:
    before = set(threading.enumerate())
    connection.run(Command(("true",)))
    (client,) = (
        thread
        for thread in set(threading.enumerate()) - before
        if isinstance(thread, paramiko.Transport) and not thread.server_mode
    )
    server.break_connections()
    client.join(CLOSED_SECONDS)
    assert connection.run(Command(("echo", "back"))).stdout == "back\n"


def test_put_and_read_text(connection: NodeConnection, tmp_path: Path) -> None:
    file = tmp_path / "made" / "file"
    connection.put_text(str(file), "it's\n$x\n", 0o600)
    assert file.stat().st_mode & 0o777 == 0o600
    assert connection.read_text(str(file)) == "it's\n$x\n"


def test_another_node_at_the_address_is_refused(server: SshServer, key_file: Path) -> None:
    keys, other = server.known_to(key_file), SshServer()
    try:
        line = server.known_host.replace(f":{server.port} ", f":{other.port} ")
        keys.known_hosts.write_text(line)
        connection = NodeConnection("k8s-node1", "127.0.0.1", keys, Here(), port=other.port)
        with pytest.raises(LabError, match=r"Host key for server '.*' does not match"):
            connection.run(Command(("true",)))
    finally:
        other.close()


def test_without_keys_of_its_own_a_lab_must_come_up_again(server: SshServer, keys: KeyFiles) -> None:
    connection = NodeConnection("k8s-node1", "127.0.0.1", keys, Here(), port=server.port)
    with pytest.raises(LabError, match="no SSH keys of their own yet"):
        connection.run(Command(("true",)))


def test_nobody_there(keys: KeyFiles) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    connection = NodeConnection("k8s-node1", "127.0.0.1", keys, Here(), port=port)
    with pytest.raises(LabError, match=r"node k8s-node1: .* the connection broke"):
        connection.run(Command(("true",)))
    with pytest.raises(TimedOutError, match="node k8s-node1: ssh"):
        connection.wait_until_answers(Deadline(0.1))


def test_a_script_too_long_for_one_argument_is_refused(connection: NodeConnection) -> None:
    with pytest.raises(LabError, match="more than"):
        connection.run(Script("#" * (LONGEST_SCRIPT + 1)))


def test_paramiko_says_nothing_beside_the_errors_that_are_raised() -> None:
    """Without a handler Python prints what a library logs; here that is a lost connection, told twice."""
    logs = "logging.getLogger('paramiko.transport').error('Socket exception')"
    says = f"import logging, lab.nodes.connection; {logs}"
    done = subprocess.run([sys.executable, "-c", says], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_a_node_whose_sshd_greets_is_not_silent(connection: NodeConnection) -> None:
    assert connection.why_silent(10.0) is None


def test_a_machine_that_hangs_is_silent(keys: KeyFiles) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hung:
        port = hung.getsockname()[1]
        node = NodeConnection("k8s-node1", "127.0.0.1", keys, Here(), port=port)
        assert node.why_silent(0.2) == "timed out"
    why = node.why_silent(0.2)
    assert why is not None
    assert "Connection refused" in why


def test_a_connection_that_ends_without_a_greeting_is_told(keys: KeyFiles) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as pool:
        node = NodeConnection("k8s-node1", "127.0.0.1", keys, Here(), port=server.getsockname()[1])
        asked = pool.submit(node.why_silent, 10.0)
        connection, _ = server.accept()
        connection.close()
        assert asked.result() == "it accepts the connection and closes it"
