"""Disks in layers: frozen ones, which several labs may share, and on top the one that a machine writes to.

A layer is a qcow2 file of the lab's pool; its backing file is the layer below, and at the bottom lies the
volume of the box. Layers are never copied.
"""

from __future__ import annotations

import re
import secrets
import struct
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from lab.foundation.errors import LabError
from lab.foundation.files import link_or_copy
from lab.foundation.process import run
from lab.machines.networks import POOL_FOLDER

MAY_WRITE = 0o222
TOKEN_BYTES = 8

# https://gitlab.com/qemu-project/qemu/-/blob/v7.2.0/docs/interop/qcow2.txt: magic, version,
# backing_file_offset, backing_file_size, cluster_bits, size.
_HEADER = struct.Struct(">4sIQIIQ")
_MAGIC = b"QFI\xfb"


def volume_name(node: str) -> str:
    """The machine's first layer, as vagrant-libvirt names a disk when the domain has no prefix."""
    return f"{node}.img"


def disk_path(layer: str) -> str:
    """The layer as the lab's libvirtd sees it."""
    return f"{POOL_FOLDER}/{layer}"


def freeze(path: Path) -> None:
    """Nobody writes to the file any more."""
    path.chmod(path.stat().st_mode & 0o7777 & ~MAY_WRITE)


class Layers:
    """The layers in one folder, each known by its file name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, layer: str) -> Path:
        return self._folder / layer

    def chain(self, top: str) -> tuple[str, ...]:
        """The layer and all below it, without the box's volume. Raises LabError when one is missing."""
        header = self._header(top)
        return () if header.below is None else (top, *self.chain(header.below))

    def new_name(self, node: str) -> str:
        """A name that no layer of the machine has had, here or in another lab."""
        return f"{node}.{secrets.token_hex(TOKEN_BYTES)}.img"

    def add(self, node: str, below: str) -> str:
        """An empty layer on top of another, which is read only from now on; returns its name."""
        layer = self.new_name(node)
        run(
            [
                *("qemu-img", "create", "-q", "-f", "qcow2"),
                # The layer below is named as libvirtd sees it, so it cannot be opened from here.
                *("-u", "-F", "qcow2", "-b", disk_path(below)),
                *(self.path(layer), str(self._header(below).size)),
            ]
        )
        return layer

    def link(self, layer: str, to: Layers) -> None:
        """Let the frozen layer be one of `to` as well."""
        to.path(layer).parent.mkdir(parents=True, exist_ok=True)
        if not to.path(layer).exists():
            link_or_copy(self.path(layer), to.path(layer))

    def of(self, nodes: Collection[str]) -> frozenset[str]:
        """All layers of these machines, in use or not."""
        names = "|".join(map(re.escape, nodes))
        layer = re.compile(rf"({names})(\.[0-9a-f]{{{2 * TOKEN_BYTES}}})?\.img")
        return frozenset(path.name for path in self._folder.iterdir() if layer.fullmatch(path.name))

    def remove(self, layers: Collection[str]) -> None:
        for layer in layers:
            self.path(layer).unlink(missing_ok=True)

    def _header(self, layer: str) -> _Header:
        try:
            with self.path(layer).open("rb") as file:
                magic, _, offset, length, _, size = _HEADER.unpack(file.read(_HEADER.size))
                file.seek(offset)
                below = file.read(length).decode()
        except (OSError, struct.error) as error:
            raise LabError(f"cannot read the disk layer {self.path(layer)}", details=str(error)) from error
        if magic != _MAGIC:
            raise LabError(f"the disk layer {self.path(layer)} is no qcow2 file")
        return _Header(Path(below).name if offset else None, size)


@dataclass(frozen=True)
class _Header:
    below: str | None
    """The name of the backing file."""
    size: int
    """Bytes that the machine sees."""
