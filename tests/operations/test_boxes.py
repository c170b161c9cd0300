"""Which boxes are there, and which of them nobody needs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.foundation.errors import LabError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.operations.boxes import box_rows, prune_boxes
from lab.state.records import LabRecord, write_record
from lab.supply.box import box_key
from lab.supply.box import model as boxes
from lab.supply.box.model import Box, box_folder
from lab.supply.cache import Cache
from lab.supply.stock import Contents, keep
from lab.topology.models import Runtime, Supply

CONTAINERD, DOCKER = "lab-v1.24.10-containerd", "lab-v1.24.10-cri-dockerd"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    return tmp_path / "cache"


def add_box(cache: Path, name: str, digest: str, built: float) -> None:
    """A box of one disk image, built at that time (seconds since 1970)."""
    folder = box_folder(cache, digest)
    folder.mkdir(parents=True)
    (folder / "box.img").write_bytes(b"disk" * 2048)
    boxes.write_record(Box(name, "1.1", folder, "", 20, Runtime.CONTAINERD, "v1.24.10", digest, {}), folder)
    os.utime(folder / boxes.RECORD, (built, built))


def add_lab(home: Path, name: str, box: str) -> None:
    folder = LabFolder(home / "labs" / name)
    folder.root.mkdir(parents=True)
    write_record(folder, LabRecord(name, mode="macvlan", supply="packages", created="", box_digest=box))


def test_old_boxes_go_and_those_that_somebody_needs_stay(cache: Path, tmp_path: Path) -> None:
    for name, digest, built in (
        (CONTAINERD, "a" * 64, 1.0),
        (CONTAINERD, "b" * 64, 2.0),
        (CONTAINERD, "c" * 64, 3.0),
        (DOCKER, "d" * 64, 0.0),
    ):
        add_box(cache, name, digest, built)
    add_lab(tmp_path / "home", "mine", "b" * 64)
    rows = {row.digest[0]: row for row in box_rows()}
    assert list(rows) == ["c", "b", "a", "d"]
    assert rows["b"].labs == ("mine",)
    assert rows["a"].built == "1970-01-01T00:00:01+00:00"
    assert rows["a"].size >= 8192
    (removed,) = prune_boxes(SilentProgress())
    assert removed == rows["a"]
    assert [row.digest[0] for row in box_rows()] == ["c", "b", "d"]
    assert not box_folder(cache, "a" * 64).exists()
    assert prune_boxes(SilentProgress()) == ()


@pytest.mark.parametrize("supply", [Supply.BUNDLE, Supply.MIRROR])
def test_the_box_of_what_was_brought_stays(supply: Supply, cache: Path) -> None:
    """It could not be built again in a classroom without a network."""
    contents = Contents("v1.24.10", {}, {}, {})
    keep(Cache(), supply, contents)
    digest = box_key(contents.software(Cache()), Runtime.CONTAINERD)
    add_box(cache, CONTAINERD, digest, 1.0)
    add_box(cache, CONTAINERD, "c" * 64, 3.0)
    assert prune_boxes(SilentProgress()) == ()


def test_nothing_goes_while_a_labs_box_is_not_known(cache: Path, tmp_path: Path) -> None:
    add_box(cache, CONTAINERD, "a" * 64, 1.0)
    add_box(cache, CONTAINERD, "c" * 64, 3.0)
    add_lab(tmp_path / "home", "mine", "a" * 64)
    LabFolder(tmp_path / "home" / "labs" / "mine").state.write_text("{")
    with pytest.raises(LabError, match="record"):
        prune_boxes(SilentProgress())
    assert box_folder(cache, "a" * 64).exists()


def test_there_is_no_box(cache: Path) -> None:
    assert box_rows() == ()
    assert prune_boxes(SilentProgress()) == ()
