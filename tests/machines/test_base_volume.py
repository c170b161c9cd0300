from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from lab.host.layout import EnclosureLayout
from lab.machines.base_volume import base_volume_name, place_base_volume, register_box
from lab.supply.box.model import Box

VOLUME = "lab-v1.24.10-containerd_vagrant_box_image_1.42_box.img"


def test_the_volume_has_the_name_that_vagrant_libvirt_looks_for(box: Box) -> None:
    assert base_volume_name(box) == VOLUME


def test_the_box_s_disk_is_linked_not_copied(empty_box: Box, tmp_path: Path) -> None:
    layout = EnclosureLayout(tmp_path)
    place_base_volume(empty_box, layout)
    place_base_volume(empty_box, layout)
    assert (layout.images / VOLUME).samefile(empty_box.image)
    assert not (layout.images / VOLUME).is_symlink()


def test_between_file_systems_it_is_a_symbolic_link(
    empty_box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    layout = EnclosureLayout(tmp_path)
    (layout.images).mkdir(parents=True)
    (layout.images / VOLUME).symlink_to("/gone")
    place_base_volume(empty_box, layout)
    assert (layout.images / VOLUME).readlink() == empty_box.image


def test_vagrant_finds_the_box_as_one_it_has_added(empty_box: Box, tmp_path: Path) -> None:
    register_box(empty_box, tmp_path)
    register_box(empty_box, tmp_path)
    there = tmp_path / "boxes" / "lab-v1.24.10-containerd" / "1.42" / "libvirt"
    assert (there / "metadata.json").exists()
    assert (there / "box.img").samefile(empty_box.image)
