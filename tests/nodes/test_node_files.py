"""The script that writes files is run by a real shell."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab.nodes.files import NodeFile, write_files

TRICKY = 'it\'s "quoted" $HOME `id` \\n %s\n\n  trailing blank \n\n'


def run_script(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{text}"], capture_output=True, text=True, check=False
    )


def test_content_arrives_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a folder" / "deep" / "it's"
    assert run_script(write_files((NodeFile(str(path), TRICKY),))).returncode == 0
    assert path.read_text() == TRICKY


def test_modes_are_kept_and_secrets_never_readable(tmp_path: Path) -> None:
    files = (
        NodeFile(str(tmp_path / "open"), "x"),
        NodeFile(str(tmp_path / "secret"), "x", 0o600),
        NodeFile(str(tmp_path / "program"), "x", 0o755),
    )
    script = write_files(files)
    assert run_script(script).returncode == 0
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("open", "secret", "program")] == [
        0o644,
        0o600,
        0o755,
    ]
    assert script.index("umask 077") < script.index("printf")


def test_a_link_is_replaced_and_its_target_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("old")
    link = tmp_path / "resolv.conf"
    link.symlink_to(target)
    assert run_script(write_files((NodeFile(str(link), "new"),))).returncode == 0
    assert (link.read_text(), target.read_text(), link.is_symlink()) == ("new", "old", False)


def test_a_script_that_breaks_off_leaves_the_old_content(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("old")
    (tmp_path / "second.lab-new").mkdir()
    done = run_script(write_files((NodeFile(str(first), "new"), NodeFile(str(second), "new"))))
    assert done.returncode != 0
    assert first.read_text() == "old"


@pytest.mark.parametrize("count", [0, 1, 3])
def test_nothing_but_the_files_is_left(tmp_path: Path, count: int) -> None:
    files = tuple(NodeFile(str(tmp_path / f"file{index}"), "x") for index in range(count))
    assert run_script(write_files(files)).returncode == 0
    assert len(list(tmp_path.iterdir())) == count
