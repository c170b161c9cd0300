"""The record of forwards: what counts is whether the process lives."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab.doors import record
from lab.doors.record import Forward, end_forwards, running_forwards
from lab.foundation.paths import LabFolder
from lab.host.process_identity import ProcessIdentity

Start = Callable[..., tuple[subprocess.Popen[str], Forward]]
DEAF = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
)
HEEDS = "import signal; print('ready', flush=True); signal.pause()"


@pytest.fixture
def folder(tmp_path: Path) -> LabFolder:
    return LabFolder(tmp_path)


@pytest.fixture
def start(folder: LabFolder) -> Iterator[Start]:
    children = []

    def forward(port: int, program: str = HEEDS) -> tuple[subprocess.Popen[str], Forward]:
        child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        children.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        process = ProcessIdentity.of(child.pid)
        assert process is not None
        made = Forward((f"127.0.0.1:{port}",), port, "api", True, "now", process)
        made.write(folder)
        return child, made

    yield forward
    for child in children:
        child.kill()
        child.communicate()


def test_what_was_killed_leaves_nothing(folder: LabFolder, start: Start) -> None:
    child, _ = start(8080)
    _, other = start(80)
    child.kill()
    child.wait()
    assert running_forwards(folder) == (other,)
    assert len(list(folder.forwards.iterdir())) == 1


def test_another_process_of_that_number_is_none(folder: LabFolder, start: Start) -> None:
    child, made = start(8080)
    made.forget(folder)
    stranger = replace(made, process=replace(made.process, start_ticks=made.process.start_ticks - 1))
    stranger.write(folder)
    end_forwards(folder, [stranger])
    assert child.poll() is None
    assert running_forwards(folder) == ()


def test_they_end_by_force_if_they_must(
    folder: LabFolder, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "END_LIMIT", 1.0)
    heeds, _ = start(8080)
    deaf, _ = start(8081, DEAF)
    end_forwards(folder, running_forwards(folder))
    assert heeds.wait(10) == -signal.SIGTERM
    assert deaf.wait(10) == -signal.SIGKILL
    assert list(folder.forwards.iterdir()) == []


def test_a_file_that_is_no_record_hinders_nobody(folder: LabFolder, start: Start) -> None:
    _, made = start(8080)
    (folder.forwards / "8081-1-1.json").write_text("{")
    assert running_forwards(folder) == (made,)


def test_a_lab_that_is_gone_does_not_come_back(folder: LabFolder, start: Start, tmp_path: Path) -> None:
    _, made = start(8080)
    gone = LabFolder(tmp_path / "gone")
    with pytest.raises(FileNotFoundError):
        made.write(gone)
    assert not gone.root.exists()
