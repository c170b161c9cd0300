"""The log of a command as a whole, and --verbose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from lab.cli.main import cli
from lab.cli.recording import told
from lab.foundation.paths import LabFolder


@pytest.fixture
def lab(tmp_path: Path) -> LabFolder:
    """A lab whose making was ended before it wrote anything."""
    folder = LabFolder(tmp_path / "labs" / "a")
    folder.root.mkdir(parents=True)
    return folder


def run(lab: LabFolder, *words: str) -> subprocess.CompletedProcess[str]:
    home = lab.root.parent.parent
    return subprocess.run(
        [sys.executable, "-m", "lab", *words],
        env={**os.environ, "LAB_HOME": str(home), "LAB_CACHE": str(home / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_command_is_in_the_log_of_its_lab_with_its_error(lab: LabFolder) -> None:
    assert run(lab, "status", "--name", "a").returncode == 1
    text = lab.log.read_text()
    assert "began: lab status --name a\n" in text
    assert "ERROR error: the set-up of the lab a never finished" in text
    assert "Traceback (most recent call last):" in text
    assert "lab ended with exit status 1 after" in text
    assert run(lab, "logs").stdout.splitlines() == [f"{'lab':30} {lab.log}"]
    assert "began: lab status" in run(lab, "logs", "lab").stdout


def test_a_log_that_cannot_be_written_changes_nothing(lab: LabFolder) -> None:
    lab.logs.touch()
    done = run(lab, "status")
    assert done.returncode == 1
    assert done.stderr.startswith("error: the set-up of the lab a never finished")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words", [("-v", "list", "--json"), ("list", "-v", "--json"), ("list", "--json", "--verbose")]
)
def test_verbose_goes_to_stderr_and_leaves_json_alone(lab: LabFolder, words: tuple[str, ...]) -> None:
    done = run(lab, *words)
    assert [row["name"] for row in json.loads(done.stdout)] == ["a"]
    assert "lab ended with exit status 0" in done.stderr
    assert "\x1b" not in done.stderr
    assert run(lab, "list", "--json").stderr == ""


def test_every_command_but_kubectl_has_verbose() -> None:
    def without(group: click.Group) -> list[str | None]:
        found: list[str | None] = []
        for each in group.commands.values():
            if isinstance(each, click.Group):
                found += without(each)
            if not any("--verbose" in option.opts for option in each.params):
                found.append(each.name)
        return found

    assert without(cli) == ["kubectl"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("up --topology t --mode m", "up --topology t --mode m"),
        ("exec n1 -- mysql -psecret", "exec n1 -- mysql ..."),
        ("exec --name a n1 -- echo hunter2", "exec --name a n1 -- echo ..."),
        ("ssh n1 echo hunter2", "ssh n1 ..."),
        ("-v ssh n1", "-v ssh n1"),
        ("kubectl create secret generic a --from-literal=b=c", "kubectl create secret ..."),
        ("kubectl --token=secret get pods", "kubectl ..."),
    ],
)
def test_words_of_other_programs_are_not_told(words: str, expected: str) -> None:
    assert told(words.split()) == expected.split()
