from __future__ import annotations

import json
import locale
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from io import BytesIO, TextIOWrapper
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from lab.cli.main import _speak_the_locale, cli


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty LAB_HOME, of a name short enough for a socket's path however long the test's own is."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("LAB_HOME", str(folder))
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LAB_NAME", raising=False)
    return folder


def commands(
    group: click.Group, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


EVERY = list(commands(cli))


@pytest.mark.parametrize(("path", "command"), EVERY, ids=[" ".join(path) for path, _ in EVERY])
def test_every_command_has_help_with_an_example_that_begins_with_its_name(
    path: tuple[str, ...], command: click.Command
) -> None:
    assert f"Example: lab {' '.join(path)}" in (command.help or "")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "lab", *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("down",),
        ("ssh", "k8s-node1"),
        ("exec", "k8s-node1", "--", "true"),
        ("kubectl", "get", "nodes"),
        ("inventory", "--json"),
        ("rebuild",),
        ("pause",),
        ("test",),
        ("logs",),
        ("fault", "list"),
        ("fault", "inject", "forward-drop"),
        ("fault", "clear"),
        ("exercise", "check"),
        ("exercise", "stop"),
    ],
)
def test_without_a_lab_every_command_says_how_to_make_one(words: tuple[str, ...]) -> None:
    completed = run(*words)
    assert completed.returncode == 2
    assert "error: there is no lab" in completed.stderr
    assert "How to fix it: lab up --topology underlay-3node" in completed.stderr
    assert "\x1b" not in completed.stderr


def test_unknown_topology_and_mode_are_refused_before_anything_is_made(home: Path) -> None:
    unknown = run("up", "--topology", "underlay-3nodes")
    assert unknown.returncode == 2
    assert "underlay-3node" in unknown.stderr
    mode = run("up", "--topology", "underlay-3node", "--mode", "macvlam")
    assert mode.returncode == 2
    assert "did you mean macvlan?" in mode.stderr
    assert not (home / "labs" / "underlay-3node").exists()


def test_unknown_option_is_wrong_use() -> None:
    assert run("list", "--jsom").returncode == 2


def test_empty_list_as_json() -> None:
    result = CliRunner().invoke(cli, ["list", "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == []


def test_validate_names_what_is_good() -> None:
    result = CliRunner().invoke(cli, ["validate", "underlay-3node", "overlay-3node", "course-exact"])
    assert result.exit_code == 0
    assert result.stdout.count(": valid: 3 nodes, 4 networks") == 3


def test_render_and_graph_write_what_they_are_asked_for(tmp_path: Path) -> None:
    for command, mark in (("render", "Vagrant.configure"), ("graph", "<svg")):
        output = tmp_path / command
        result = CliRunner().invoke(cli, [command, "--topology", "underlay-3node", "--output", str(output)])
        assert result.exit_code == 0
        assert mark in output.read_text()


def test_supply_add_refuses_what_is_no_program(tmp_path: Path) -> None:
    text = tmp_path / "cri-dockerd"
    text.write_text("#!/bin/sh\n")
    completed = run("supply", "add", "cri-dockerd", str(text))
    assert completed.returncode == 2
    assert "is not a program" in completed.stderr


def test_a_mode_whose_image_no_supply_has_is_refused_before_anything_starts(tmp_path: Path) -> None:
    course = (Path(__file__).parents[2] / "topologies/underlay-3node.yaml").read_text()
    (tmp_path / "younger.yaml").write_text(
        course.replace("version: v1.24.10", "version: v1.30.4").replace(
            "name: underlay-3node", "name: younger"
        )
    )
    done = run("up", "--topology", str(tmp_path / "younger.yaml"), "--mode", "hybridnet")
    assert done.returncode == 2
    assert "the mode hybridnet cannot run" in done.stderr
    assert "no image hybridnet for Kubernetes v1.30.4" in done.stderr


@pytest.mark.parametrize(
    ("encoding", "printed"), [("GBK", "实验 ?"), ("UTF-8", "实验 ✓"), ("ANSI_X3.4-1968", "实验 ✓")]
)
def test_what_is_printed_is_in_the_terminal_s_encoding_and_never_refused(
    monkeypatch: pytest.MonkeyPatch, encoding: str, printed: str
) -> None:
    written = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(written, encoding="utf-8"))
    monkeypatch.setattr(locale, "getencoding", lambda: encoding)
    _speak_the_locale()
    print("实验 ✓", flush=True)  # noqa: T201
    assert written.getvalue().decode("gbk" if encoding == "GBK" else "utf-8") == f"{printed}\n"


def test_the_environment_of_the_checkout_names_no_folder_in_some_encoding() -> None:
    """Python reads such a file in the user's locale."""
    named = list(Path(sysconfig.get_path("purelib")).glob("_lab.pth"))
    assert [path.read_bytes() for path in named] == [b"../../../..\n"] * len(named)
