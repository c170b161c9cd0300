"""What a bundle says of itself: the first file in it, with the digest of every other one.

A bundle is a tar file compressed with zstd: `manifest.json`, then `blobs/DIGEST` for every content of the
software, then `box/NAME` for every file of the box.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Self

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from lab.foundation.files import sha256_of
from lab.foundation.strict import STRICT
from lab.supply.stock import Contents, Digest

NAME = "manifest.json"
FORMAT = 1
"""Raised when a bundle is laid out in another way."""

BLOBS = "blobs"
BOX = "box"


@dataclass(frozen=True, config=STRICT)
class FileEntry:
    """A file of the bundle: its size in bytes and its digest."""

    size: int
    sha256: Digest

    @classmethod
    def of(cls, path: Path) -> Self:
        """Of a file that is there."""
        return cls(path.stat().st_size, sha256_of(path))


@dataclass(frozen=True, config=STRICT)
class BoxEntry:
    """The box in the bundle."""

    name: str
    digest: Digest
    """Over the inputs it was made from: by it the box is found again."""


@dataclass(frozen=True, config=STRICT)
class Manifest:
    """The whole of a bundle."""

    format: int
    made_by: str
    """The version of `lab` that wrote it."""
    machine: str
    """The kind of machine the programs are for, as `uname -m` says it."""
    software: Contents
    box: BoxEntry
    files: Mapping[str, FileEntry]
    """By path in the bundle."""

    def __post_init__(self) -> None:
        """Raises ValueError when the files are not those of the software and of one box."""
        blobs = {f"{BLOBS}/{digest}" for digest in self.software.digests}
        named = set(self.files)
        if missing := sorted(blobs - named):
            raise ValueError(f"{missing[0]} is part of the software and no file of the bundle")
        for name in sorted(named - blobs):
            path = PurePosixPath(name)
            if path.parts != (BOX, path.name) or path.name in ("", ".", ".."):
                raise ValueError(f"{name} is neither a part of the software nor of the box")
        for name in blobs:
            if self.files[name].sha256 != PurePosixPath(name).name:
                raise ValueError(f"{name} is said to have the digest {self.files[name].sha256}")

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())


_MANIFEST = TypeAdapter(Manifest)


def write_manifest(manifest: Manifest, folder: Path) -> None:
    (folder / NAME).write_bytes(_MANIFEST.dump_json(manifest, indent=1))


def read_manifest(folder: Path) -> Manifest:
    """Raises ValidationError (a ValueError) when it is none."""
    return _MANIFEST.validate_json((folder / NAME).read_bytes())
