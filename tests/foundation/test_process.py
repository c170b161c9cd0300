import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.foundation.errors import LabError
from lab.foundation.process import ProcessFailedError, ProgramMissingError, run


def test_returns_what_the_child_printed() -> None:
    completed = run(["sh", "-c", "echo out; echo err >&2"])
    assert (completed.stdout, completed.stderr, completed.returncode) == ("out\n", "err\n", 0)


def test_words_are_not_given_to_a_shell() -> None:
    assert run(["echo", "$HOME; false"]).stdout == "$HOME; false\n"


def test_failure_carries_the_command_and_the_end_of_its_output() -> None:
    with pytest.raises(ProcessFailedError) as failure:
        run(["sh", "-c", "echo the disk is full >&2; exit 3"])
    assert failure.value.completed.returncode == 3
    assert "exit status 3" in failure.value.brief
    assert failure.value.details == "the disk is full"


def test_what_a_program_says_again_and_again_is_shown_once() -> None:
    with pytest.raises(ProcessFailedError) as failure:
        run(["sh", "-c", "for module in a b c; do echo $module: no route; echo give up; done; exit 1"])
    assert failure.value.details == "a: no route\ngive up\nb: no route\nc: no route"


def test_failure_is_returned_when_it_is_not_checked() -> None:
    assert run(["false"], check=False).returncode == 1


def test_missing_program_is_named() -> None:
    with pytest.raises(ProgramMissingError, match="no-such-program"):
        run(["no-such-program"])


def test_missing_folder_is_not_taken_for_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"the folder .* does not exist"):
        run(["true"], cwd=tmp_path / "absent")


def test_time_limit_ends_the_child_and_its_children(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    with pytest.raises(ProcessFailedError, match="not finished after"):
        run(["sh", "-c", f"sleep 60 & echo $! > {pid_file}; wait"], timeout=0.5)
    grandchild = int(pid_file.read_text())
    deadline = time.monotonic() + 10
    while _runs(grandchild):
        assert time.monotonic() < deadline, "the grandchild was left behind"
        time.sleep(0.05)


def test_what_has_the_terminal_ends_with_a_process_that_is_killed(tmp_path: Path) -> None:
    """A suite that went on would judge, and change, what the same command does when it is run again."""
    pid_file = tmp_path / "pid"
    words = ["sh", "-c", f"echo $$ > {pid_file}.new; mv {pid_file}.new {pid_file}; exec sleep 60"]
    code = f"from lab.foundation.process import run_with_terminal\nrun_with_terminal({words!r}, env={{}})"
    parent = subprocess.Popen([sys.executable, "-c", code])
    try:
        _until(pid_file.exists, "the child never began")
    finally:
        parent.kill()
        parent.wait()
    _until(lambda: not _runs(int(pid_file.read_text())), "the child goes on")


def _until(holds: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_a_grandchild_that_keeps_the_output_open_is_not_waited_for() -> None:
    started = time.monotonic()
    completed = run(["sh", "-c", "echo ready; sleep 60 & echo $!"])
    try:
        assert completed.stdout.startswith("ready\n")
        assert time.monotonic() - started < 30
    finally:
        os.kill(int(completed.stdout.split()[1]), 9)


def test_lines_are_handed_on_while_the_child_runs(tmp_path: Path) -> None:
    first_line = threading.Event()
    gate = tmp_path / "gate"
    os.mkfifo(gate)

    def open_the_gate() -> None:
        assert first_line.wait(20), "the line came only after the child had ended"
        gate.write_text("go")

    helper = threading.Thread(target=open_the_gate)
    helper.start()
    run(["sh", "-c", f"echo one; cat {gate} >/dev/null"], on_line=lambda line: first_line.set(), timeout=30)
    helper.join()


def test_output_is_appended_to_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    run(["echo", "one"], log=log)
    run(["echo", "two"], log=log)
    assert log.read_text() == "one\ntwo\n"


def test_stdin_is_fed_and_large_output_does_not_block() -> None:
    text = "x" * 100 + "\n"
    assert run(["cat"], stdin=text * 20_000).stdout == text * 20_000
