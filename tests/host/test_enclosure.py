from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.foundation.errors import LabError
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


def in_own_process(code: str, *arguments: str) -> str:
    """Run Python that changes its own namespaces, which a test process could not undo."""
    return run([sys.executable, "-c", code, *arguments]).stdout


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


def test_entering_the_network_takes_later_threads_along(make_enclosure: MakeEnclosure) -> None:
    enclosure = make_enclosure("a")
    enclosure.start()
    run(enclosure.command(["ip", "link", "add", "only-here", "type", "bridge"]))
    code = (
        "import sys, threading, socket; from pathlib import Path\n"
        "from lab.foundation.paths import LabFolder; from lab.host.enclosure import Enclosure\n"
        "Enclosure(LabFolder(Path(sys.argv[1]))).enter_network()\n"
        "names = lambda: print(sorted(name for _, name in socket.if_nameindex()))\n"
        "thread = threading.Thread(target=names); thread.start(); thread.join()\n"
    )
    assert in_own_process(code, str(enclosure.layout.root.parent)).strip() == "['lo', 'only-here']"


def test_a_lab_that_does_not_run_cannot_be_entered(make_enclosure: MakeEnclosure) -> None:
    with pytest.raises(LabError, match="the lab a is not running"):
        make_enclosure("a").enter_network()
