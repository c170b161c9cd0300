"""Commands that are ended, whose output goes nowhere, or to which the system refuses something."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest

from lab.foundation.paths import LabFolder
from lab.state.records import LabRecord, lab_folder, save_topology, write_record
from lab.topology.loader import find_topology


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LAB_NAME", raising=False)


@pytest.fixture
def lab() -> LabFolder:
    """A lab that was begun and does not run."""
    folder = lab_folder("a")
    save_topology(folder, find_topology("underlay-3node"))
    write_record(folder, LabRecord("a", mode="macvlan", supply="packages", created=""))
    return folder


def run(*words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(env or {})},
    )


def assert_explained(done: subprocess.CompletedProcess[str], brief: str, status: int) -> None:
    """That it says what failed and what to do, and shows no traceback."""
    assert "Traceback" not in done.stderr
    assert f"error: {brief}" in done.stderr
    assert "How to fix it: " in done.stderr
    assert done.returncode == status


@pytest.mark.parametrize("variable", ["LAB_HOME", "LAB_CACHE"])
@pytest.mark.parametrize("what", ["file", "dangling link"])
def test_a_folder_that_is_none_is_named(tmp_path: Path, variable: str, what: str) -> None:
    there = tmp_path / "there"
    if what == "file":
        there.touch()
    else:
        there.symlink_to(tmp_path / "no" / "such")
    command = {
        "LAB_HOME": ("up", "--topology", "underlay-3node", "--supply", "bundle", "--name", "a"),
        "LAB_CACHE": ("cache", "prune"),
    }
    assert_explained(run(*command[variable], env={variable: str(there)}), "the system refused", 1)


def test_a_lab_with_another_kind_of_name_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    done = run("up", "--topology", "underlay-3node", "--supply", "bundle", "--name", "../a")
    assert_explained(done, "'../a' is not a valid lab name", 2)
    assert list(tmp_path.iterdir()) == []


def test_a_lab_that_would_lie_too_deep_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    done = run("up", "--topology", "underlay-3node", "--supply", "bundle", env={"LAB_HOME": str(deep)})
    assert_explained(done, "the path of the lab's folder is too long", 1)
    assert not deep.exists()


@pytest.mark.parametrize("words", [("inventory", "--ssh-config"), ("kubeconfig",)])
def test_what_a_begun_lab_lacks_is_said(lab: LabFolder, words: tuple[str, ...]) -> None:
    assert_explained(run(*words), f"the lab {lab.name} has no ", 1)


def test_what_sudo_has_not_passed_on_is_named_once(tmp_path: Path) -> None:
    sudo = tmp_path / "sudo"
    sudo.write_text(f"#!/bin/sh\nunset GOPROXY LAB_KEPT_GIB\n{sys.executable} -m lab list\nexit $?\n")
    sudo.chmod(0o755)
    users = {**os.environ, "GOPROXY": "https://anna:secret@goproxy.example", "LAB_KEPT_GIB": "5"}
    done = subprocess.run([sudo], env=users, capture_output=True, text=True, check=True)
    assert done.stderr == (
        "note: sudo has not passed on GOPROXY, LAB_KEPT_GIB:"
        " write `sudo GOPROXY=... LAB_KEPT_GIB=... lab ...`\n"
    )


@pytest.mark.parametrize("amount", ["nan", "inf", "-1"])
def test_what_is_no_amount_is_wrong_use(amount: str) -> None:
    assert_explained(run("cache", "prune", "--to", amount), "", 2)
    assert_explained(run("cache", "prune", env={"LAB_KEPT_GIB": amount}), "LAB_KEPT_GIB is", 2)


def test_output_that_cannot_be_written_is_an_error(lab: LabFolder) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "lab", "inventory", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert_explained(done, "the system refused a file: the disk is full", 1)


def test_a_reader_that_goes_away_ends_it_without_a_word(lab: LabFolder) -> None:
    command = f"{sys.executable} -m lab inventory --json | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("option", "meant"), [("--supply=pakages", "packages"), ("--runtime=containrd", "containerd")]
)
def test_a_misspelt_word_is_answered_with_the_right_one(option: str, meant: str) -> None:
    assert f"did you mean '{meant}'?" in run("box", "build", option).stderr


LONG_COMMAND = """
    import signal
    from pathlib import Path
    import click
    from lab.cli import main
    from lab.foundation.process import run
    from lab.supply.cache import Cache

    @main.cli.command()
    def long() -> None:
        with Cache().work_folder() as folder:
            run(["sh", "-c", "echo $$; exec sleep 60"], on_line=lambda line: print(line, flush=True))

    # Whoever runs the tests may have these ignored, as nohup and `&` do, and that is inherited.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    main.main()
"""
"""A command with a child and a temporary folder; says the child's number."""


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_command_that_is_ended_leaves_no_child_and_no_work(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    command = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(LONG_COMMAND), "long"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert command.stdout is not None
    child = int(command.stdout.readline())
    command.send_signal(number)
    _, said = command.communicate(timeout=20)
    assert command.returncode == status
    assert said.strip().startswith("Interrupted.")
    assert not Path(f"/proc/{child}").exists()
    assert list((tmp_path / "cache" / "tmp").iterdir()) == []


def test_under_nohup_the_end_of_the_terminal_changes_nothing() -> None:
    script = "from lab.cli.endings import heed_signals; import os, signal; heed_signals(); \
        os.kill(os.getpid(), signal.SIGHUP); print('goes on')"
    words = ["sh", "-c", 'trap "" HUP; exec "$0" -c "$1"', sys.executable, script]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "goes on\n"
