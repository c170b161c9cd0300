"""The program of a node's own netexec, taken from a pod where the node has none."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from acceptance.netexec import PROGRAM


def _in_a_pid_namespace(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", f"{PROGRAM}\n{script}"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that a pod would run under the name agnhost."""
    sleep = shutil.which("sleep")
    assert sleep is not None
    (tmp_path / "in-a-pod").mkdir()
    return Path(shutil.copy(sleep, tmp_path / "in-a-pod" / "agnhost"))


def test_a_node_without_the_program_has_it_from_the_first_process_that_runs_it(
    program: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "on-the-node" / "agnhost"
    done = _in_a_pid_namespace(f"(sleep 1; exec {program} 30) & agnhost_of_a_pod {copied.parent} 20; kill $!")
    assert done.stdout == f"{copied}\n", done.stderr
    assert copied.read_bytes() == program.read_bytes()
    assert copied.stat().st_mode & 0o777 == 0o755


def test_without_such_a_process_it_gives_up_in_time(tmp_path: Path) -> None:
    done = _in_a_pid_namespace(f"agnhost_of_a_pod {tmp_path / 'none'} 1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot be had from a pod: no pod there runs it" in done.stderr
    assert not (tmp_path / "none").exists()


def test_why_it_cannot_be_copied_is_told(program: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.touch()
    done = _in_a_pid_namespace(f"{program} 30 & trap 'kill $!' EXIT; agnhost_of_a_pod {taken} 2")
    assert done.returncode == 1
    assert f"cannot be had from a pod: install: cannot create directory '{taken}'" in done.stderr
