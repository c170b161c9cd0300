from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.foundation import journal
from lab.foundation.journal import JOURNAL, JournalFile
from lab.foundation.process import run
from lab.foundation.progress import SilentProgress
from lab.foundation.wait import Deadline, NotYetError, TimedOutError, wait_for

STAMPED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \d+ (INFO|ERROR) ")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    handlers = list(JOURNAL.handlers)
    yield
    JOURNAL.handlers[:] = handlers


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log whose lines come from this process from now on."""
    journal.start()
    path = tmp_path / "logs" / "lab.log"
    journal.keep_in(path)
    return path


def test_lines_told_before_the_file_was_named_come_first(tmp_path: Path) -> None:
    journal.start()
    JOURNAL.info("early")
    path = tmp_path / "logs" / "lab.log"
    journal.keep_in(path)
    JOURNAL.info("late")
    lines = path.read_text().splitlines()
    assert all(STAMPED.match(line) for line in lines)
    assert [line.split(" ", 3)[3] for line in lines] == ["early", "late"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_without_a_start_no_file_is_made(tmp_path: Path) -> None:
    journal.keep_in(tmp_path / "logs" / "lab.log")
    JOURNAL.info("nobody hears")
    assert not (tmp_path / "logs").exists()


def test_children_steps_and_waits_are_told(log: Path) -> None:
    reasons = iter(["booting", "booting", "almost"])

    def condition() -> None:
        for reason in reasons:
            raise NotYetError(reason)

    with SilentProgress().step("nodes"):
        run(["false"], check=False)
        wait_for(condition, what="ssh of k8s-node1", deadline=Deadline(60), interval=0)
    text = log.read_text()
    for said in (
        r"step: nodes",
        r"run: false",
        r"status 1 after \d\.\d s: false",
        r"wait for: ssh of k8s-node1; not yet: booting",
        r"wait for: ssh of k8s-node1; not yet: almost",
        r"waited \d\.\d s for: ssh of k8s-node1",
        r"step done after \d\.\d s: nodes",
    ):
        assert len(re.findall(said, text)) == 1, said


def test_what_failed_is_told_too(log: Path) -> None:
    def never() -> None:
        raise NotYetError("NotReady")

    with pytest.raises(TimedOutError), SilentProgress().step("ready"):
        wait_for(never, what="three nodes", deadline=Deadline(0), interval=0)
    text = log.read_text()
    assert re.search(r"waited \d\.\d s in vain for: three nodes", text)
    assert re.search(r"step failed, TimedOutError after \d\.\d s: ready", text)


def test_secrets_are_not_in_it(log: Path) -> None:
    run(["true", "--token", "abcdef.0123456789abcdef", "https://me:hunter2@host/"])
    text = log.read_text()
    assert "run: true --token" in text
    assert "0123456789abcdef" not in text
    assert "hunter2" not in text


def test_it_is_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "lab.log"
    code = (
        "import sys; from pathlib import Path; from lab.foundation import journal\n"
        "journal.start(); journal.keep_in(Path(sys.argv[1])); journal.show_on_stderr()\n"
        f"journal.JOURNAL.info('%s %s', {'实验室'!a}, '\\udcff')"
    )
    environment = {**os.environ, "LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    shown = subprocess.run(
        [sys.executable, "-c", code, path], env=environment, capture_output=True, check=True
    ).stderr
    assert path.read_text(encoding="utf-8").endswith("实验室 \\udcff\n")
    assert b"INFO" in shown


def test_it_is_bounded_and_no_line_is_lost_between_threads(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "lab.log"
    files = [JournalFile(largest=4000), JournalFile(largest=4000)]
    record = JOURNAL.makeRecord("lab", 20, "", 0, "x" * 50, (), None)
    for file in files:
        file.keep_in(path)

    def fill(file: JournalFile) -> None:
        for _ in range(200):
            file.handle(record)

    threads = [threading.Thread(target=fill, args=(file,)) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    older = path.with_name("lab.1.log")
    for each in (path, older):
        assert 0 < each.stat().st_size <= 4200
        assert all(line.endswith("x" * 50) for line in each.read_text().splitlines())


@pytest.mark.parametrize("obstacle", ["a file in place of the folder", "no folder of the lab", "a folder"])
def test_what_cannot_be_written_is_no_reason_to_fail(tmp_path: Path, obstacle: str) -> None:
    path = tmp_path / "lab" / "logs" / "lab.log"
    if obstacle == "a file in place of the folder":
        path.parent.parent.mkdir()
        path.parent.touch()
    elif obstacle == "a folder":
        path.mkdir(parents=True)
    journal.start()
    journal.keep_in(path)
    JOURNAL.info("goes on")
    assert not path.is_file()


def test_a_full_disk_is_no_reason_to_fail() -> None:
    journal.start()
    journal.keep_in(Path("/dev/full"))
    JOURNAL.info("goes on")


def test_a_log_that_was_removed_does_not_come_back(log: Path) -> None:
    log.unlink()
    log.parent.rmdir()
    JOURNAL.info("gone")
    assert not log.parent.exists()


def test_in_silence_nothing_is_told(log: Path) -> None:
    def hidden() -> None:
        JOURNAL.info("within")
        raise KeyError("hidden")

    def silent() -> None:
        with journal.Silence():
            hidden()

    JOURNAL.info("before")
    with pytest.raises(KeyError) as caught:
        silent()
    assert "hidden" not in [each.name for each in caught.traceback]
    JOURNAL.info("after")
    assert [line.rpartition(" ")[2] for line in log.read_text().splitlines()] == ["before", "after"]
