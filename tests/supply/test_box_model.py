"""The record of a box, and the files by which vagrant knows it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from lab.foundation.errors import LabError
from lab.supply.box import Box, find_box, load_box, newest_box
from lab.supply.box.model import KERNEL_ARGUMENTS, RECORD, box_folder, write_record
from lab.supply.box.vagrant import write_vagrant_files
from lab.topology.models import Runtime

DIGEST = "0123456789abcdef" * 4


def box_in(folder: Path) -> Box:
    return Box(
        name="lab-v1.24.10-containerd",
        version="1.1250999896491",
        folder=folder,
        kernel_arguments=KERNEL_ARGUMENTS,
        virtual_size_gib=20,
        runtime=Runtime.CONTAINERD,
        kubernetes_version="v1.24.10",
        digest=DIGEST,
        packages={"containerd": "1.6.20~ds1-1+b1"},
    )


@pytest.fixture
def stored(tmp_path: Path) -> Box:
    box = box_in(box_folder(tmp_path, DIGEST))
    box.folder.mkdir(parents=True)
    write_record(box, box.folder)
    return box


def test_a_box_is_found_as_it_was_written(tmp_path: Path, stored: Box) -> None:
    assert find_box(tmp_path, DIGEST) == stored
    assert load_box(tmp_path, DIGEST) == stored


def test_a_moved_cache_moves_its_boxes(tmp_path: Path, stored: Box) -> None:
    moved = tmp_path / "elsewhere"
    (tmp_path / "box").rename(moved)
    (tmp_path / "other").mkdir()
    moved.rename(tmp_path / "other" / "box")
    found = load_box(tmp_path / "other", DIGEST)
    assert found.image == tmp_path / "other" / "box" / DIGEST[:16] / "box.img"


def test_the_newest_box_is_found_beside_an_old_one_that_cannot_be_read(tmp_path: Path, stored: Box) -> None:
    old = box_folder(tmp_path, "f" * 64)
    old.mkdir()
    (old / RECORD).write_text("{")
    os.utime(old / RECORD, (1, 1))
    assert newest_box(tmp_path) == stored


def test_no_box_without_its_record(tmp_path: Path, stored: Box) -> None:
    (stored.folder / RECORD).unlink()
    assert find_box(tmp_path, DIGEST) is None


def test_a_digest_that_only_begins_alike_is_another_box(tmp_path: Path, stored: Box) -> None:
    other = DIGEST[:16] + "f" * 48
    assert find_box(tmp_path, other) is None
    with pytest.raises(LabError, match="not in the cache") as caught:
        load_box(tmp_path, other)
    assert "lab box build" in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"name": "x"}'])
def test_a_damaged_record_says_what_to_remove(tmp_path: Path, stored: Box, content: str) -> None:
    (stored.folder / RECORD).write_text(content)
    with pytest.raises(LabError) as caught:
        find_box(tmp_path, DIGEST)
    assert str(stored.folder) in str(caught.value)


def test_the_folder_is_an_unpacked_vagrant_box(stored: Box) -> None:
    write_vagrant_files(stored)
    metadata = json.loads((stored.folder / "metadata.json").read_text())
    assert metadata == {"provider": "libvirt", "format": "qcow2", "virtual_size": 20}
    vagrantfile = (stored.folder / "Vagrantfile").read_text()
    assert f'libvirt.cmd_line = "{KERNEL_ARGUMENTS}"' in vagrantfile
    assert "{" not in vagrantfile


def test_the_version_is_one_that_vagrant_takes(stored: Box) -> None:
    assert re.fullmatch(r"\d+(\.\d+)*", stored.version)


def test_the_kernel_line_fits_the_kernel_and_names_the_disk() -> None:
    assert "root=/dev/vda" in KERNEL_ARGUMENTS
    assert "net.ifnames=0" in KERNEL_ARGUMENTS
    # COMMAND_LINE_SIZE on x86 is 2048; a node adds its name and up to six addresses.
    assert len(KERNEL_ARGUMENTS) < 1000
