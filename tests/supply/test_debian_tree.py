"""Debian trees: what is done to unpacked packages, with packages of the test's own."""

from __future__ import annotations

import os
import subprocess
import tarfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from lab.foundation.errors import LabError
from lab.foundation.progress import SilentProgress
from lab.supply.cache import Cache
from lab.supply.catalogue import DebianTree
from lab.supply.catalogue.models import DebianProgram
from lab.supply.debian_tree import DebianTreeBuilder

MMDEBSTRAP = """#!/bin/sh
# Stands in for mmdebstrap: lays out what unpacked packages look like. Its last word is the folder.
for last; do :; done
printf '%s\\n' "$*" >> {calls}
mkdir -p $last/bin $last/usr/sbin $last/etc/apt $last/usr/share/doc/x $last/var/cache/apt/archives
printf '#!/bin/sh\\nprintf "sh\\\\nwget\\\\nip\\\\n"\\n' > $last/bin/busybox
chmod +x $last/bin/busybox
ln -s /bin/kmod $last/bin/ip
touch $last/usr/sbin/xtables-legacy-multi $last/usr/share/doc/x/y
touch $last/var/cache/apt/archives/iptables_1.8.9-2_amd64.deb
touch $last/var/cache/apt/archives/busybox-static_1%3a1.35.0-4+deb12u1_amd64.deb
"""

FAILING = "#!/bin/sh\necho 'E: Unable to locate package nosuch' >&2\nexit 25\n"
FULL = "#!/bin/sh\necho 'tar: write error: No space left on device' >&2\nexit 25\n"


def stand_in(folder: Path, text: str) -> None:
    folder.mkdir(exist_ok=True)
    program = folder / "mmdebstrap"
    program.write_text(text.replace("{calls}", str(folder / "calls")))
    program.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "programs"
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


@pytest.fixture
def builder(tmp_path: Path) -> DebianTreeBuilder:
    tree = DebianTree("tools", "bookworm", ("iptables", "dash"), (DebianProgram("busybox", "bin/busybox"),))
    return DebianTreeBuilder(tree, 1_600_000_000, Cache(tmp_path / "cache"), threading.Event())


def test_a_tree_is_settled_and_its_versions_are_recorded(programs: Path, builder: DebianTreeBuilder) -> None:
    stand_in(programs, MMDEBSTRAP)
    with SilentProgress().step("tree") as step:
        record = builder.make(step)
    assert builder.made() == record
    assert record.used == ("busybox-static 1:1.35.0-4+deb12u1", "iptables 1.8.9-2")
    with tarfile.open(builder.cache.blob(record.outputs["tools"])) as layer:
        links = {member.name: member.linkname for member in layer.getmembers() if member.issym()}
        names = set(layer.getnames())
    assert links["bin/sh"] == "dash"
    assert links["bin/wget"] == "busybox"
    assert links["bin/ip"] == "/bin/kmod"
    assert links["usr/sbin/iptables-restore"] == links["usr/sbin/ip6tables"] == "xtables-legacy-multi"
    assert {"etc/passwd", "etc/group", "root"} <= names
    assert not {"var", "usr/share/doc", "etc/apt"} & names
    said = subprocess.run([builder.cache.blob(record.outputs["busybox"])], capture_output=True, check=True)
    assert b"wget" in said.stdout
    assert "--include=dash,iptables bookworm" in (programs / "calls").read_text()


def test_what_no_program_needs_is_left_out_of_a_tree(programs: Path, builder: DebianTreeBuilder) -> None:
    stand_in(programs, MMDEBSTRAP.replace("touch $last/usr/sbin/xtables-legacy-multi", "touch"))
    slim = replace(builder, tree=replace(builder.tree, left_out=("bin/[!bs]*", "usr/sh*")))
    assert slim.key != builder.key
    with SilentProgress().step("tree") as step:
        record = slim.make(step)
    with tarfile.open(slim.cache.blob(record.outputs["tools"])) as layer:
        names = set(layer.getnames())
    assert {"bin/busybox", "bin/sh"} <= names
    assert not {"bin/wget", "bin/ip", "usr/share"} & names
    assert not {"usr/sbin/iptables", "usr/sbin/iptables-restore"} & names


def test_the_error_tells_which_package_cannot_be_had(programs: Path, builder: DebianTreeBuilder) -> None:
    stand_in(programs, FAILING)
    with SilentProgress().step("tree") as step, pytest.raises(LabError, match="cannot be had") as caught:
        builder.make(step)
    assert "Unable to locate package nosuch" in str(caught.value)
    assert builder.made() is None


def test_a_full_disk_is_not_blamed_on_the_archive(programs: Path, builder: DebianTreeBuilder) -> None:
    stand_in(programs, FULL)
    with SilentProgress().step("tree") as step, pytest.raises(LabError) as caught:
        builder.make(step)
    assert caught.value.brief == f"the disk that holds the cache {builder.cache.root} is full"
