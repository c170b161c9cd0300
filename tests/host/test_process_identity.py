from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.host.process_identity import ProcessIdentity, processes_in


def own_identity() -> ProcessIdentity:
    identity = ProcessIdentity.of(os.getpid())
    assert identity is not None
    return identity


def test_a_living_process_is_alive_also_after_writing_and_reading(tmp_path: Path) -> None:
    record = tmp_path / "pid"
    own_identity().write(record)
    read = ProcessIdentity.read(record)
    assert read == own_identity()
    assert read is not None
    assert read.alive
    assert record.read_text().split()[0] == str(os.getpid())


def test_another_process_with_the_same_pid_is_not_it() -> None:
    assert not replace(own_identity(), start_ticks=own_identity().start_ticks - 1).alive


def test_a_process_of_an_earlier_boot_is_not_alive() -> None:
    assert not replace(own_identity(), boot_id="00000000-0000-0000-0000-000000000000").alive


FIRST_THREAD_ENDS = """
import ctypes, sys, threading
threading.Thread(target=sys.stdin.read).start()
print("ready", flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_process_whose_first_thread_ended_is_alive_while_others_have_its_files() -> None:
    words = [sys.executable, "-c", FIRST_THREAD_ENDS]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        stat = Path(f"/proc/{child.pid}/stat")
        wait_for(lambda: _require(") Z " in stat.read_text()), what="its end", deadline=Deadline(30))
        identity = ProcessIdentity.of(child.pid)
        assert identity is not None
        child.kill()
        child.wait()
        assert not identity.alive


def _require(seen: bool) -> None:
    if not seen:
        raise NotYetError("it has not ended")


def test_a_process_that_ended_is_not_alive_even_before_it_is_reaped() -> None:
    child = subprocess.Popen(["sleep", "60"])
    identity = ProcessIdentity.of(child.pid)
    assert identity is not None
    assert identity.alive
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not identity.alive
    child.wait()
    assert not identity.alive


def test_a_missing_or_broken_record_is_no_process(tmp_path: Path) -> None:
    assert ProcessIdentity.read(tmp_path / "missing") is None
    (tmp_path / "broken").write_text("12 what")
    assert ProcessIdentity.read(tmp_path / "broken") is None


def test_processes_are_found_by_their_namespace() -> None:
    namespace = own_identity().namespace("pid")
    assert namespace is not None
    assert os.getpid() in processes_in(namespace, "pid")
    assert processes_in("pid:[1]", "pid") == ()


def in_new_namespace() -> subprocess.Popen[str]:
    """A process in a network namespace of its own; it has said so."""
    words = ["unshare", "--user", "--net", "sh", "-c", "echo ready; exec sleep 60"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_the_name_of_a_namespace_is_not_given_again_while_it_is_held() -> None:
    with in_new_namespace() as first:
        identity = ProcessIdentity.of(first.pid)
        assert identity is not None
        with identity.holding_namespace("net") as held:
            assert held == identity.namespace("net")
            first.kill()
            first.wait()
            for _ in range(20):
                with in_new_namespace() as later:
                    assert Path(f"/proc/{later.pid}/ns/net").readlink() != Path(held or "")
                    later.kill()
        with identity.holding_namespace("net") as gone:
            assert gone is None
