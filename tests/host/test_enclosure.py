from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import libvirt
import pytest

from lab.foundation.errors import LabError
from lab.foundation.plain_paths import plain_path
from lab.foundation.process import run
from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.host.enclosure import Enclosure
from lab.host.process_identity import ProcessIdentity, processes_in

MakeEnclosure = Callable[[str], Enclosure]


@dataclass(frozen=True)
class HostTraces:
    """What a lab must not leave on the host."""

    mounts: str
    links: str
    run: tuple[str, ...]
    enclosures: tuple[str, ...]


def host_traces(labs: Path) -> HostTraces:
    commands = (path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline"))
    return HostTraces(
        mounts=Path("/proc/self/mounts").read_text(),
        links=run(["ip", "-o", "link"]).stdout,
        run=tuple(sorted(entry.name for entry in Path("/run").iterdir())),
        enclosures=tuple(words.decode(errors="replace") for words in commands if str(labs).encode() in words),
    )


def test_start_serves_libvirt_and_stop_leaves_nothing(make_enclosure: MakeEnclosure, labs: Path) -> None:
    before = host_traces(labs)
    enclosure = make_enclosure("a")
    assert not enclosure.running
    assert not enclosure.serving
    enclosure.start()
    assert enclosure.serving
    pid = enclosure.init_pid
    assert pid is not None
    namespace = str(Path(f"/proc/{pid}/ns/pid").readlink())
    assert len(processes_in(namespace, "pid")) > 1
    enclosure.stop()
    assert processes_in(namespace, "pid") == ()
    assert not enclosure.running
    assert enclosure.init_pid is None
    assert host_traces(labs) == before


def test_starting_again_changes_nothing(make_enclosure: MakeEnclosure) -> None:
    enclosure = make_enclosure("a")
    enclosure.start()
    pid = enclosure.init_pid
    enclosure.start()
    assert enclosure.init_pid == pid


def test_two_labs_do_not_see_each_other(make_enclosure: MakeEnclosure) -> None:
    one, other = make_enclosure("one"), make_enclosure("other")
    for enclosure in (one, other):
        enclosure.start()
        run(enclosure.command(["ip", "link", "add", "br-underlay", "type", "bridge"]))
        run(enclosure.command(["ip", "address", "add", "172.31.0.2/21", "dev", "br-underlay"]))
    assert "br-underlay" not in run(["ip", "link"]).stdout
    one.stop()
    assert "br-underlay" in run(other.command(["ip", "link"])).stdout


def test_the_enclosure_sees_only_its_own_devices_and_processes(make_enclosure: MakeEnclosure) -> None:
    enclosure = make_enclosure("a")
    enclosure.start()
    assert run(enclosure.command(["ls", "/sys/class/net"])).stdout.split() == ["lo"]
    commands = run(enclosure.command(["ps", "-eo", "args"])).stdout
    assert "libvirtd" in commands
    assert "pytest" not in commands


def test_after_its_first_process_was_killed_it_starts_again(make_enclosure: MakeEnclosure) -> None:
    enclosure = make_enclosure("a")
    enclosure.start()
    pid = enclosure.init_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: check_stopped(enclosure), what="end", deadline=Deadline(10), interval=0.02)
    enclosure.start()
    assert enclosure.init_pid not in (None, pid)


def check_stopped(enclosure: Enclosure) -> None:
    if enclosure.running:
        raise NotYetError("it runs")


def test_a_reused_pid_is_neither_taken_for_the_lab_nor_killed(make_enclosure: MakeEnclosure) -> None:
    enclosure = make_enclosure("a")
    with subprocess.Popen(["sleep", "60"]) as bystander:
        ProcessIdentity(bystander.pid, 1, "an earlier boot").write(enclosure.layout.init_record)
        assert not enclosure.running
        enclosure.stop()
        assert bystander.poll() is None
        bystander.kill()
    assert not enclosure.layout.init_record.exists()


def test_a_second_first_process_of_the_same_lab_gives_way(make_enclosure: MakeEnclosure) -> None:
    enclosure = make_enclosure("a")
    enclosure.start()
    lab = str(enclosure.layout.root.parent)
    second = run([sys.executable, "-m", "lab.host.init", lab], check=False)
    assert second.returncode == 1
    assert "another enclosure of this lab is running" in second.stderr


def test_a_failing_start_says_what_the_log_says(
    make_enclosure: MakeEnclosure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "libvirtd"
    broken.write_text("#!/bin/sh\necho the disk is on fire\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(LabError) as failed:
        make_enclosure("a").start()
    assert "the disk is on fire" in str(failed.value)
    assert "lab doctor" in str(failed.value)


def test_sockets_are_in_the_labs_network_and_this_process_is_not(make_enclosure: MakeEnclosure) -> None:
    enclosure = make_enclosure("a")
    enclosure.start()
    own = Path("/proc/self/ns/net").readlink()
    with enclosure.listen("127.0.0.1") as door:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(door.getsockname(), timeout=5.0)
        with enclosure.connect("127.0.0.1", door.getsockname()[1], 5.0) as sent:
            taken, _ = door.accept()
            with taken:
                sent.sendall(b"over lo of the lab")
                assert taken.recv(100) == b"over lo of the lab"
    assert Path("/proc/self/ns/net").readlink() == own


def test_what_a_socket_of_the_lab_fails_with_is_the_systems_own_word(make_enclosure: MakeEnclosure) -> None:
    enclosure = make_enclosure("a")
    enclosure.start()
    with pytest.raises(ConnectionRefusedError):
        enclosure.connect("127.0.0.1", 9, 5.0)
    with pytest.raises(OSError, match="unreachable"):
        enclosure.connect("192.0.2.1", 9, 5.0)
    with pytest.raises(OSError, match="Cannot assign requested address"):
        enclosure.listen("192.0.2.1")
    with enclosure.listen("::1") as door, enclosure.connect("::1", door.getsockname()[1], 5.0) as sent:
        assert sent.family is socket.AF_INET6


def test_many_threads_may_ask_for_sockets_at_once(make_enclosure: MakeEnclosure) -> None:
    enclosure = make_enclosure("a")
    enclosure.start()
    with enclosure.listen("127.0.0.1") as door, ThreadPoolExecutor(8) as pool:
        port = door.getsockname()[1]
        opened = list(pool.map(lambda _: enclosure.connect("127.0.0.1", port, 5.0), range(32)))
    assert len({each.getsockname() for each in opened}) == 32
    for each in opened:
        each.close()


def test_a_lab_that_was_started_anew_is_reached_in_its_new_network(make_enclosure: MakeEnclosure) -> None:
    enclosure = make_enclosure("a")
    for address in ("192.0.2.1", "192.0.2.2"):
        enclosure.start()
        run(enclosure.command(["ip", "address", "add", f"{address}/32", "dev", "lo"]))
        enclosure.listen(address).close()
        enclosure.stop()


def test_a_line_for_a_shell_outlives_the_first_process(make_enclosure: MakeEnclosure) -> None:
    enclosure = make_enclosure("a")
    line = enclosure.shell_line("ip -brief link")
    enclosure.start()
    assert run(["sh", "-c", f"exec {line}"]).stdout.split()[0] == "lo"


@pytest.mark.parametrize("case", ["no record", "ended", "another process", "another boot"])
def test_a_line_for_a_shell_does_nothing_in_the_hosts_network(
    make_enclosure: MakeEnclosure, tmp_path: Path, case: str
) -> None:
    """Which it would when the lab's process number is another process's: after a reboot of the host."""
    enclosure = make_enclosure("a")
    here = ProcessIdentity.of(os.getpid())
    assert here is not None
    record = enclosure.layout.init_record
    match case:
        case "ended":
            ProcessIdentity(2**22 + 1, here.start_ticks, here.boot_id).write(record)
        case "another process":
            ProcessIdentity(here.pid, here.start_ticks - 1, here.boot_id).write(record)
        case "another boot":
            ProcessIdentity(here.pid, here.start_ticks, here.boot_id[::-1]).write(record)
    line = enclosure.shell_line(f"touch {tmp_path}/done")
    done = subprocess.run(["sh", "-c", f"exec {line}"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (255, "the lab a is not running\n")
    assert not (tmp_path / "done").exists()


def test_a_lab_that_does_not_run_cannot_be_reached(make_enclosure: MakeEnclosure) -> None:
    with pytest.raises(LabError, match="the lab a is not running"):
        make_enclosure("a").connect("127.0.0.1", 22, 1.0)


def test_a_lab_in_a_folder_with_odd_letters_is_served_at_its_plain_path(
    make_enclosure: MakeEnclosure, labs: Path
) -> None:
    odd = labs / "实验 室" / "50%"
    plain = plain_path(odd)
    try:
        enclosure = make_enclosure(str(plain / "a"))
        enclosure.start()
        with closing(libvirt.open(enclosure.libvirt_uri)) as connection:
            assert connection.isAlive()
        seen = run(enclosure.command(["cat", str(enclosure.layout.init_record)])).stdout
        assert seen == (odd / "a" / "host" / "init.pid").read_text()
        enclosure.stop()
    finally:
        plain.unlink()
