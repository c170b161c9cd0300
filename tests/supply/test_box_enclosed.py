"""What is run for a box ends with the process that asked for it, even when that is killed outright."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.foundation.process import ProcessFailedError
from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.supply.box.enclosed import run_enclosed, run_in_root
from lab.supply.box.inputs import RECIPE

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and mounts need root")

BUILDER = """
import sys
from pathlib import Path
from lab.supply.box.enclosed import run_enclosed
folder = Path(sys.argv[1])
script = 'mount -t tmpfs tmpfs "$1/mounted"; touch "$1/mounted/inside"; sleep 1000 & echo up; wait'
run_enclosed(("sh", "-c", script, "sh", folder), network=False, log=folder / "log", timeout=1000.0,
             on_line=lambda line: print(line, flush=True))
"""


def processes_naming(text: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if text in (folder / "cmdline").read_text():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def test_a_killed_builder_leaves_no_process_and_no_mount(tmp_path: Path) -> None:
    (tmp_path / "mounted").mkdir()
    with subprocess.Popen(
        (sys.executable, "-c", BUILDER, tmp_path), stdout=subprocess.PIPE, text=True
    ) as builder:
        assert builder.stdout is not None
        assert builder.stdout.readline() == "up\n"
        assert len(processes_naming(str(tmp_path))) > 1
        builder.send_signal(signal.SIGKILL)

    def gone() -> None:
        if left := processes_naming(str(tmp_path)):
            raise NotYetError(f"processes {left} are still there")

    wait_for(gone, what="the end of the builder's children", deadline=Deadline(5.0), interval=0.05)
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
    assert list((tmp_path / "mounted").iterdir()) == []


def test_mounts_are_not_seen_outside(tmp_path: Path) -> None:
    (tmp_path / "mounted").mkdir()
    script = 'mount -t tmpfs tmpfs "$1/mounted" && touch "$1/mounted/inside"'
    run_enclosed(("sh", "-c", script, "sh", tmp_path), network=False, log=tmp_path / "log", timeout=10.0)
    assert list((tmp_path / "mounted").iterdir()) == []


def test_without_a_network_there_is_only_loopback(tmp_path: Path) -> None:
    shown = run_enclosed(("cat", "/proc/net/dev"), network=False, log=tmp_path / "log", timeout=10.0)
    devices = [line.split(":")[0].strip() for line in shown.stdout.splitlines() if ":" in line]
    assert devices == ["lo"]


def test_a_failed_command_is_an_error_with_its_words(tmp_path: Path) -> None:
    with pytest.raises(ProcessFailedError, match="exit status 3") as caught:
        run_enclosed(("sh", "-c", "echo why >&2; exit 3"), network=False, log=tmp_path / "log", timeout=10.0)
    assert caught.value.details == "why"
    assert (tmp_path / "log").read_text() == "why\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root directory that borrows the host's programs."""
    root = tmp_path / "root"
    for name in ("proc", "sys", "dev", "run", "tmp", "usr", "etc"):
        (root / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    return root


def test_a_script_sees_the_root_and_the_archives(root: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe"
    recipe.mkdir()
    enter = (RECIPE / "in-root.sh").read_text()
    bind = 'mount --bind "$root" "$root"\n'
    assert bind in enter
    (recipe / "in-root.sh").write_text(enter.replace(bind, bind + 'mount --bind /usr "$root/usr"\n'))
    (recipe / "look.sh").write_text(
        "#!/bin/sh\nls /\ncat /run/images/0.tar /run/images/1.tar\ntouch /etc/made\n"
    )
    for script in recipe.iterdir():
        script.chmod(0o755)
    archives = [tmp_path / "one", tmp_path / "two"]
    for archive in archives:
        archive.write_text(f"{archive.name}\n")

    seen = run_in_root(
        root, "look.sh", log=tmp_path / "log", timeout=10.0, archives=archives, recipe=recipe
    ).stdout.splitlines()

    assert seen[-2:] == ["one", "two"]
    assert "work" not in seen
    assert (root / "etc/made").exists()
    assert list((root / "run").iterdir()) == []
