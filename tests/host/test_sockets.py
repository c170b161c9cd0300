"""Sockets that a child makes elsewhere; here in namespaces that a plain user may make, too."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.foundation.errors import LabError
from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.host.sockets import Sockets


@pytest.fixture
def in_user_namespace() -> Iterator[list[str]]:
    """Words that enter a network which belongs to a user namespace of its own."""
    words = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", "echo ready; exec cat"]
    holder = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdin is not None
    assert holder.stdout is not None
    if holder.stdout.readline() != "ready\n":
        pytest.skip("this host forbids user namespaces")
    yield ["nsenter", "--target", str(holder.pid), "--user", "--net", "--preserve-credentials", "--"]
    holder.communicate()


def test_a_network_of_a_user_namespace_is_reached_from_a_process_with_threads(
    in_user_namespace: list[str],
) -> None:
    subprocess.run([*in_user_namespace, "ip", "link", "set", "lo", "up"], check=True)
    own, sockets = Path("/proc/self/ns/user").readlink(), Sockets()
    with (
        sockets.listen(in_user_namespace, "127.0.0.1") as door,
        sockets.connect(in_user_namespace, "127.0.0.1", door.getsockname()[1], 5.0) as sent,
    ):
        taken, _ = door.accept()
        with taken:
            sent.sendall(b"hello")
            assert taken.recv(10) == b"hello"
    assert Path("/proc/self/ns/user").readlink() == own


def test_where_nobody_can_go_the_reason_is_told_each_time() -> None:
    sockets = Sockets()
    for _ in range(2):
        with pytest.raises(LabError, match="cannot enter the network of the lab") as caught:
            sockets.connect(["nsenter", "--net=/nowhere", "--"], "127.0.0.1", 9, 1.0)
        assert "/nowhere" in (caught.value.details or "")


def test_the_child_ends_with_who_asked(tmp_path: Path) -> None:
    record = tmp_path / "pid"
    enter = ["sh", "-c", 'echo $$ > "$0"; exec "$@"', str(record)]
    sockets = Sockets()
    sockets.listen(enter, "127.0.0.1").close()
    child = int(record.read_text())
    os.kill(child, 0)
    del sockets
    wait_for(lambda: _check_ended(child), what="end of the child", deadline=Deadline(10.0), interval=0.02)


def _check_ended(pid: int) -> None:
    # Without its parent's wait it stays as a zombie, which has no words.
    if Path(f"/proc/{pid}/cmdline").read_bytes():
        raise NotYetError("it lives")
