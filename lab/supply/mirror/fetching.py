"""The supply `mirror` as a whole: everything downloaded side by side, the gaps filled by `packages`."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

from lab.foundation.progress import Progress
from lab.supply import oci
from lab.supply.architecture import architecture
from lab.supply.cache import Cache, Record, key_of
from lab.supply.catalogue import (
    Download,
    DownloadedFile,
    DownloadedImage,
    Downloads,
    Entry,
    Parts,
    Place,
    Use,
    load_entry,
)
from lab.supply.mirror.files import Downloader
from lab.supply.mirror.gaps import Brought, Lacking, fill, title
from lab.supply.mirror.images import ImageCopier
from lab.supply.mirror.meter import Meter
from lab.supply.mirror.mirrors import Mirrors, UnavailableError
from lab.supply.mirror.programs import from_file, from_image
from lab.supply.side_by_side import side_by_side
from lab.supply.software import Image, Software
from lab.supply.stock import Contents, keep
from lab.supply.user_programs import user_programs
from lab.topology.models import Supply

KIND = "mirror"
WORKERS = 4
IMAGE = "image:"
"""Marks, in a record, the archive of an image among its programs."""


def fetch(version: str, cache: Cache, mirrors: Mirrors, progress: Progress) -> Software:
    """Download what the cache lacks of Kubernetes `version` and all that belongs to it.

    What no mirror has is built by the supply `packages`; what a lab can do without is left out with a note
    when that is not possible either. Raises WrongUseError for a version that the catalogue does not have,
    LabError when something is not to be had. Run again it goes on where it stopped.
    """
    entry = load_entry(version)
    with cache.locked(progress):
        brought = _Fetch(entry.downloads, cache, mirrors, progress).run()
    whole = fill(entry, brought, cache, progress)
    of_nodes = [program for program in entry.user_programs if program.use is Use.NODE]
    users = {
        name: digest for record in user_programs(cache, of_nodes) for name, digest in record.outputs.items()
    }
    contents = Contents(
        kubernetes_version=version,
        binaries={**whole.binaries, **users},
        cni_plugins=whole.cni_plugins,
        images=whole.images,
        made_of=asked_for(entry),
    )
    keep(cache, Supply.MIRROR, contents)
    return contents.software(cache)


def fetch_images(
    version: str, names: frozenset[str], cache: Cache, mirrors: Mirrors, progress: Progress
) -> tuple[Image, ...]:
    """The same for images on demand, by their names; those that are not to be had are not among them."""
    entry = load_entry(version)
    wanted = tuple(image for image in entry.downloads.images_on_demand if image.name in names)
    with cache.locked(progress):
        brought = _Fetch(Downloads(images=wanted), cache, mirrors, progress).run()
    whole = fill(entry.only(Parts(frozenset(), names)), brought, cache, progress)
    return tuple(Image(name, cache.blob(digest), digest) for name, digest in whole.images.items())


def asked_for(entry: Entry) -> str:
    """A digest of what the catalogue asks mirrors for, for the box."""
    downloads = asdict(entry.downloads)
    return key_of({"files": downloads["files"], "images": downloads["images"]})


class _Fetch:
    """One run for one version's downloads."""

    def __init__(self, downloads: Downloads, cache: Cache, mirrors: Mirrors, progress: Progress) -> None:
        self._downloads = downloads
        self._cache = cache
        self._mirrors = mirrors
        self._progress = progress
        self._stop = threading.Event()
        self._folder = cache.root / "downloads"
        self._architecture = architecture()

    def run(self) -> Brought:
        items: tuple[Download, ...] = (*self._downloads.files, *self._downloads.images)
        known = [(item, self._cache.recall(KIND, self._key(item))) for item in items]
        absent = [item for item, record in known if record is None]
        fetched = list(zip(absent, self._bring_all(absent), strict=True))
        brought = Brought(lacking=tuple(result for _, result in fetched if isinstance(result, Lacking)))
        for item, result in (*known, *fetched):
            if isinstance(result, Record):
                _sort_in(item, result, brought)
        return brought

    def _bring_all(self, items: Sequence[Download]) -> Sequence[Record | Lacking]:
        if not items:
            return ()
        self._mirrors.probe(title(item) for item in items)
        with self._progress.step(f"downloads ({len(items)})") as step:
            meter = Meter(step)
            files = Downloader(self._mirrors, self._folder, meter, self._stop)
            images = ImageCopier(self._mirrors, self._folder, meter, self._stop, self._architecture)
            tasks = [partial(self._bring, item, files, images) for item in items]
            return side_by_side(tasks, self._stop, WORKERS)

    def _key(self, item: Download) -> str:
        return key_of([asdict(item), self._architecture])

    def _bring(self, item: Download, files: Downloader, images: ImageCopier) -> Record | Lacking:
        try:
            if isinstance(item, DownloadedFile):
                return self._bring_file(item, files)
            return self._bring_image(item, images)
        except UnavailableError as error:
            return Lacking(item, "; ".join((error.details or error.brief).splitlines()))

    def _bring_file(self, item: DownloadedFile, files: Downloader) -> Record:
        sha256 = item.sha256.get(self._architecture)
        if sha256 is None:
            raise UnavailableError(f"the catalogue has no digest of {item.url} for {self._architecture}")
        url = item.url_for(self._architecture)
        part, source = files.download(url, sha256)
        with self._cache.work_folder() as folder:
            outputs = {
                name: self._cache.put(path) for name, path in from_file(part, item.programs, folder).items()
            }
        record = Record(KIND, url, "", outputs, (f"sha256:{sha256}",), source.host)
        self._cache.remember(self._key(item), record)
        part.unlink()
        return record

    def _bring_image(self, item: DownloadedImage, images: ImageCopier) -> Record:
        reference = oci.named(item.name or "program", item.tags[0])
        with self._cache.work_folder() as folder:
            archive = folder / "image.tar"
            found = images.copy(item, reference, archive)
            programs = from_image(archive, item.programs, folder)
            outputs = {name: self._cache.put(path) for name, path in programs.items()}
            if item.name is not None:
                outputs[IMAGE + reference] = self._cache.put(archive)
        record = Record(
            KIND, f"{item.image}:{item.tags[0]}", item.tags[0], outputs, (found.name,), found.source.host
        )
        self._cache.remember(self._key(item), record)
        images.forget(item)
        return record


def _sort_in(item: Download, record: Record, brought: Brought) -> None:
    uses = {program.name: program.use for program in item.programs}
    for name, digest in record.outputs.items():
        if name.startswith(IMAGE):
            brought.images[name.removeprefix(IMAGE)] = digest
        elif uses[name] is Place.NODE:
            brought.binaries[name] = digest
        else:
            brought.cni_plugins[name] = digest
