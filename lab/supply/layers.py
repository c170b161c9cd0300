"""Layers of container images as tar files in which nothing depends on when and where they were written."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from lab.foundation.files import is_plain_file
from lab.supply.cache import explain_full_disk


@dataclass(frozen=True)
class Layer:
    """What a layer holds: for each path in the image (relative to its root) the file on this host."""

    content: Mapping[str, Path]
    executable: bool = False
    """Whether every regular file gets mode 0755; otherwise it keeps its own mode."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Symbolic links that no file on this host is for: path in the image, and what it names."""

    @classmethod
    def of_tree(cls, root: Path) -> Layer:
        """Everything below `root`."""
        return cls({str(path.relative_to(root)): path for path in root.rglob("*")})

    @classmethod
    def of_scripts(cls, root: Path, at: str) -> Layer:
        """Everything below `root`, at the absolute path `at` in the image, executable."""
        tree = {f"{at}/{path.relative_to(root)}".lstrip("/"): path for path in root.rglob("*")}
        return cls(tree, executable=True)

    @classmethod
    def of_programs(cls, files: Mapping[str, Path]) -> Layer:
        """Executable files, by their absolute paths in the image."""
        return cls({path.lstrip("/"): source for path, source in files.items()}, executable=True)


def write_layer(target: Path, layer: Layer, moment: int) -> None:
    """Write the layer as a tar file: sorted, owned by root, every time `moment` (seconds since 1970).

    Raises LabError when the disk is full.
    """
    with explain_full_disk(target.parent), tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as archive:
        for name in sorted({*layer.content, *layer.links, *_folders((*layer.content, *layer.links))}):
            source = layer.content.get(name)
            if name in layer.links:
                member = tarfile.TarInfo(name)
                member.type, member.linkname, member.mode = tarfile.SYMTYPE, layer.links[name], 0o777
            elif source is None:
                member = tarfile.TarInfo(name)
                member.type, member.mode = tarfile.DIRTYPE, 0o755
            else:
                member = archive.gettarinfo(source, name)
                # Hard links on this host are none in the image.
                if is_plain_file(source):
                    member.type, member.linkname, member.size = tarfile.REGTYPE, "", source.stat().st_size
            member.mtime = moment
            member.uid = member.gid = 0
            member.uname = member.gname = "root"
            if not member.isreg():
                archive.addfile(member)
                continue
            assert source is not None
            if layer.executable:
                member.mode = 0o755
            with source.open("rb") as content:
                archive.addfile(member, content)


def _folders(names: Iterable[str]) -> set[str]:
    return {str(parent) for name in names for parent in PurePosixPath(name).parents if str(parent) != "."}
