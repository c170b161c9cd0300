"""The box where Vagrant and libvirt look for it, without a copy."""

from __future__ import annotations

import os
from pathlib import Path

from lab.host.layout import EnclosureLayout
from lab.supply.box.model import Box


def base_volume_name(box: Box) -> str:
    """The volume that vagrant-libvirt looks for before it uploads the box (its HandleBoxImage)."""
    return f"{_file_name(box)}_vagrant_box_image_{box.version}_box.img"


def register_box(box: Box, vagrant_home: Path) -> None:
    """Make the box one that Vagrant has added already: boxes/NAME/VERSION/PROVIDER."""
    link = vagrant_home / "boxes" / _file_name(box) / box.version / "libvirt"
    link.parent.mkdir(parents=True, exist_ok=True)
    _place_link(link, box.folder)


def place_base_volume(box: Box, layout: EnclosureLayout) -> None:
    """Put the box's disk into the lab's storage pool: a hard link, or a symbolic one between file systems."""
    layout.images.mkdir(parents=True, exist_ok=True)
    volume = layout.images / base_volume_name(box)
    if volume.exists():
        return
    volume.unlink(missing_ok=True)
    try:
        os.link(box.image, volume)
    except OSError:
        _place_link(volume, box.image)


def _file_name(box: Box) -> str:
    return box.name.replace("/", "-VAGRANTSLASH-")


def _place_link(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(target)
