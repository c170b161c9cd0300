"""Writing a bundle."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

from lab.foundation.archive import pack_whole
from lab.foundation.errors import LabError
from lab.foundation.files import link_or_copy
from lab.foundation.process import ProcessFailedError
from lab.foundation.progress import Progress
from lab.supply.box import Box
from lab.supply.bundle.manifest import BLOBS, BOX, FORMAT, NAME, BoxEntry, FileEntry, Manifest, write_manifest
from lab.supply.cache import Cache
from lab.supply.software import Software
from lab.supply.stock import Contents


def export_bundle(software: Software, box: Box, target: Path, cache: Cache, progress: Progress) -> Manifest:
    """Write the software and the box, both in `cache`, into the file `target`.

    It is written under another name beside it and renamed when it is whole. Raises LabError when a content of
    the cache is damaged, or the disk is full.
    """
    if not target.parent.is_dir():
        raise LabError(f"there is no folder {target.parent} to write the bundle into")
    contents = Contents.of(software)
    with cache.locked(progress), cache.work_folder() as folder:
        with progress.step("bundle: digests"):
            manifest = Manifest(
                format=FORMAT,
                made_by=version("lab"),
                machine=platform.machine(),
                software=contents,
                box=BoxEntry(box.name, box.digest),
                files={**_link_blobs(contents, cache, folder), **_link_box(box, folder)},
            )
            write_manifest(manifest, folder)
        try:
            with progress.step(f"bundle: writing {target.name}") as step:
                pack_whole(folder, (NAME, BLOBS, BOX), target, manifest.size, step)
        except ProcessFailedError as failed:
            raise LabError(
                f"the bundle {target} cannot be written",
                details=failed.details,
                resolution="see that its disk has room for it, then run the same command again",
            ) from failed
    return manifest


def _link_blobs(contents: Contents, cache: Cache, folder: Path) -> dict[str, FileEntry]:
    (folder / BLOBS).mkdir()
    entries = {}
    for digest in sorted(contents.digests):
        entry = FileEntry.of(cache.blob(digest))
        if entry.sha256 != digest:
            raise LabError(
                f"the cache contains a damaged file: {cache.blob(digest)}",
                resolution="lab supply verify removes it; run the same command again after that",
            )
        link_or_copy(cache.blob(digest), folder / BLOBS / digest)
        entries[f"{BLOBS}/{digest}"] = entry
    return entries


def _link_box(box: Box, folder: Path) -> dict[str, FileEntry]:
    (folder / BOX).mkdir()
    files = sorted(path for path in box.folder.iterdir() if path.is_file())
    for path in files:
        link_or_copy(path, folder / BOX / path.name)
    return {f"{BOX}/{path.name}": FileEntry.of(path) for path in files}
