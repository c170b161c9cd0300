"""All layers of an image as one tar file that holds what a container of it sees.

A node only has to write it down: it need not check, decompress and merge layers, which is slow under
emulation. What removes files of lower layers: https://github.com/opencontainers/image-spec/blob/main/layer.md.
"""

from __future__ import annotations

import copy
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lab.foundation.errors import LabError
from lab.supply.cache import explain_full_disk
from lab.supply.docker_archive import ArchivedImage, layer_files

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
ATTRIBUTE = "SCHILY.xattr."
"""Begins what GNU tar writes down of extended attributes, such as a program's capabilities."""


@dataclass(frozen=True)
class _Kept:
    """A member of the layer `layer` that is seen in the end; `path` is relative to the image's root."""

    layer: int
    path: str
    member: tarfile.TarInfo

    @property
    def order(self) -> tuple[int, int, int, str]:
        """Folders, then files as they lie in the archive, then hard links, whose files are there by then."""
        if self.member.isdir():
            return (0, 0, 0, self.path)
        return (2 if self.member.islnk() else 1, self.layer, self.member.offset, self.path)


def flatten(archive: Path, image: ArchivedImage, target: Path) -> None:
    """Write the image's files into `target`, with owners, modes, times and extended attributes.

    Raises LabError when a layer holds a path out of the image, or the disk is full.
    """
    with (
        layer_files(archive, image) as layers,
        explain_full_disk(target.parent),
        tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as flat,
    ):
        kept = {(each.layer, each.path): each for each in _seen(layers)}
        for each in sorted(kept.values(), key=lambda one: one.order):
            source, member = layers[each.layer], each.member
            if member.islnk() and (each.layer, _path_in_image(member.linkname)) not in kept:
                # An upper layer has another file there, or none: this one has the content alone now.
                member = _file_behind(source, member)
            written = _as_written(member, each.path)
            flat.addfile(written, source.extractfile(member) if member.isreg() else None)


def _seen(layers: Sequence[tarfile.TarFile]) -> Iterator[_Kept]:
    """The members that no upper layer hides."""
    taken: set[str] = set()
    """Paths that upper layers have."""
    closed: set[str] = set()
    """Paths below which nothing of a lower layer is seen."""
    for number in reversed(range(len(layers))):
        last: dict[str, tarfile.TarInfo] = {}
        hides: set[str] = set()
        for member in layers[number]:
            path = PurePosixPath(_path_in_image(member.name))
            if path.name == OPAQUE:
                hides.add(str(path.parent))
            elif path.name.startswith(WHITEOUT):
                gone = str(path.parent / path.name.removeprefix(WHITEOUT))
                hides.add(gone)
                last.setdefault(gone, _NOTHING)
            else:
                last[str(path)] = member
        for name, member in last.items():
            if name in taken or any(str(parent) in closed for parent in PurePosixPath(name).parents):
                continue
            if member is not _NOTHING:
                yield _Kept(number, name, member)
        for name, member in last.items():
            taken.add(name)
            if member is not _NOTHING and not member.isdir():
                closed.add(name)
        closed |= hides


_NOTHING = tarfile.TarInfo()
"""Stands for a path that a layer removes."""


def _as_written(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo:
    """The same in the flat archive, with what is kept of its extended header: attributes."""
    written = copy.copy(member)
    written.name = path
    written.pax_headers = {
        name: value for name, value in member.pax_headers.items() if name.startswith(ATTRIBUTE)
    }
    if member.islnk():
        written.linkname = _path_in_image(member.linkname)
    elif member.isreg():
        # A sparse file is written whole.
        written.type, written.sparse = tarfile.REGTYPE, None
    return written


def _file_behind(layer: tarfile.TarFile, link: tarfile.TarInfo) -> tarfile.TarInfo:
    """The file in the same layer that a hard link leads to."""
    for _ in range(len(layer.getmembers())):
        if not link.islnk():
            return link
        link = layer.getmember(link.linkname)
    raise LabError(f"the hard link {link.name} of an image leads to itself")


def _path_in_image(name: str) -> str:
    """Raises LabError for a path that leads out."""
    path = PurePosixPath("/", name)
    if ".." in path.parts:
        raise LabError(f"the image holds a file with the path {name}, which leads out of it")
    return str(path.relative_to("/"))
