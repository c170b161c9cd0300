"""Completion in the user's shell, and what version this is."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner

from lab.cli.main import cli
from lab.foundation.paths import LabFolder
from lab.state.records import LabRecord, save_topology, write_record
from lab.topology.loader import find_topology


def completed(*words: str, home: Path) -> list[str]:
    """What bash would offer for the last of the words."""
    asked = {
        "_LAB_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("lab", *words)),
        "COMP_CWORD": str(len(words)),
        "LAB_HOME": str(home),
    }
    done = subprocess.run(
        [Path(sys.executable).with_name("lab")],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=False,
    )
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_each_shell_asks_lab(shell: str) -> None:
    done = CliRunner().invoke(cli, ["completion", shell])
    assert done.exit_code == 0
    assert f"_LAB_COMPLETE={shell}_complete" in done.output


def test_an_unknown_shell_is_refused() -> None:
    assert CliRunner().invoke(cli, ["completion", "tcsh"]).exit_code == 2


def test_commands_and_options_are_completed(tmp_path: Path) -> None:
    assert completed("tr", home=tmp_path) == ["trace"]
    assert "--protocol" in completed("trace", "--p", home=tmp_path)
    assert completed("trace", "--protocol", "t", home=tmp_path) == ["tcp"]


def test_nodes_are_those_of_the_lab(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("home")
    assert completed("ssh", "", home=home) == []
    folder = LabFolder(home / "labs" / "a")
    save_topology(folder, find_topology("underlay-3node"))
    write_record(folder, LabRecord("a", mode="macvlan", supply="packages", created=""))
    assert completed("ssh", "k8s-n", home=home) == ["k8s-node1", "k8s-node2"]
    assert completed("exec", "k8s-m", home=home) == ["k8s-master1"]


def test_the_version_names_the_commit() -> None:
    said = CliRunner().invoke(cli, ["--version"]).output
    assert said.startswith(f"lab, version {version('lab')}")
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert commit.returncode != 0 or commit.stdout.strip() in said
