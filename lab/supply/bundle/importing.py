"""Reading a bundle: nothing enters the cache before all of it is found to be right."""

from __future__ import annotations

import json
import platform
from pathlib import Path

from pydantic import ValidationError

from lab.foundation.archive import unpack, unpack_one
from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.files import is_plain_file, sha256_of
from lab.foundation.progress import Progress
from lab.foundation.strict import problems_of
from lab.supply.box import take_box
from lab.supply.bundle.manifest import BLOBS, BOX, FORMAT, NAME, Manifest, read_manifest
from lab.supply.cache import Cache, full_disk, says_full_disk
from lab.supply.stock import keep
from lab.topology.models import Supply

ZSTD_MAGIC = bytes.fromhex("28b52ffd")
"""RFC 8878, 3.1.1: the first four bytes of a zstd frame."""

NOT_WHOLE = "it was cut off or damaged on its way here; copy it again and compare its SHA-256 at both ends"


def import_bundle(file: Path, cache: Cache, progress: Progress) -> Manifest:
    """Take the bundle's software and box into the cache; it takes the place of an earlier one.

    A killed import has no effect but that some contents may be in the cache already; it may be run again.
    Raises WrongUseError when the file is no bundle, or for another kind of machine or program, LabError when
    it is damaged or the disk is full.
    """
    _check_magic(file)
    with cache.locked(progress), cache.work_folder() as folder:
        manifest = _manifest(file, folder, cache)
        with progress.step(f"bundle: unpacking {file.name}") as step:
            done = unpack(file, folder, manifest.size, step)
            if done.returncode != 0:
                raise _unreadable(file, done.stderr, cache)
        with progress.step("bundle: checking digests") as step:
            for number, name in enumerate(sorted(manifest.files)):
                step.advance(number, len(manifest.files))
                _check(file, folder / name, name, manifest)
        for digest in manifest.software.digests:
            cache.take(folder / BLOBS / digest, digest)
        take_box(cache.root, folder / BOX, manifest.box.digest)
        keep(cache, Supply.BUNDLE, manifest.software)
    return manifest


def _check_magic(file: Path) -> None:
    with file.open("rb") as content:
        if content.read(len(ZSTD_MAGIC)) != ZSTD_MAGIC:
            raise _foreign(file, "it is not compressed with zstd")


def _manifest(file: Path, folder: Path, cache: Cache) -> Manifest:
    """The manifest, read before the rest is unpacked."""
    done = unpack_one(file, NAME, folder)
    if not is_plain_file(folder / NAME):
        if "Not found in archive" in done.stderr:
            raise _foreign(file, f"it holds no {NAME}")
        raise _unreadable(file, done.stderr, cache)
    try:
        said = json.loads((folder / NAME).read_bytes())
        if said["format"] != FORMAT:
            raise WrongUseError(
                f"{file} is a bundle of another version of lab",
                details=f"its format is {said['format']}; this version reads format {FORMAT}",
                resolution="export it again with this version",
            )
        manifest = read_manifest(folder)
    except ValidationError as error:
        raise _foreign(file, f"its {NAME} is wrong: {problems_of(error)}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise _foreign(file, f"its {NAME} is wrong: {error}") from error
    if manifest.machine != platform.machine():
        raise WrongUseError(
            f"{file} is a bundle for another kind of machine",
            details=f"its programs are for {manifest.machine}, this host is {platform.machine()}",
        )
    return manifest


def _check(file: Path, path: Path, name: str, manifest: Manifest) -> None:
    wanted = manifest.files[name]
    if not is_plain_file(path):
        raise LabError(f"the bundle {file} lacks {name}", resolution=NOT_WHOLE)
    if path.stat().st_size != wanted.size or (found := sha256_of(path)) != wanted.sha256:
        found = f"{path.stat().st_size} bytes" if path.stat().st_size != wanted.size else found
        raise LabError(
            f"the bundle {file} is damaged: {name} does not match the manifest",
            details=f"expected {wanted.size} bytes with SHA-256 {wanted.sha256}, found {found}",
            resolution=NOT_WHOLE,
        )


def _foreign(file: Path, why: str) -> WrongUseError:
    return WrongUseError(
        f"{file} is not a bundle",
        details=why,
        resolution="name a file that `lab supply export` has written",
    )


def _unreadable(file: Path, said: str, cache: Cache) -> LabError:
    if says_full_disk(said):
        return full_disk(cache.root)
    reasons = [line for line in said.splitlines() if not line.rpartition(" ")[2].isdigit()]
    return LabError(
        f"the bundle {file} cannot be read to its end", details="\n".join(reasons), resolution=NOT_WHOLE
    )
