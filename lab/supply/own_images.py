"""Images that a user brings into the cache: from registries by the mirrors, by digest."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lab.foundation.errors import LabError
from lab.foundation.image_names import ImageName
from lab.foundation.progress import Progress
from lab.supply.architecture import architecture
from lab.supply.cache import Cache, Record, key_of
from lab.supply.catalogue import DownloadedImage
from lab.supply.docker_archive import UnfitImageError, read_image, require_architecture
from lab.supply.mirror import Mirrors
from lab.supply.mirror.images import ImageCopier
from lab.supply.mirror.meter import Meter
from lab.supply.mirror.mirrors import UnavailableError
from lab.supply.mirror.settings import settings_file
from lab.supply.side_by_side import side_by_side

KIND = "own image"
WORKERS = 2


@dataclass(frozen=True)
class OwnImage:
    """An image in the cache as a docker-archive, by the name under which nodes get it.

    `digest` is the SHA-256 of the archive, as 64 hexadecimal digits.
    """

    name: ImageName
    archive: Path
    digest: str


@dataclass(frozen=True)
class Pulled:
    """What came of a pull: the images, and for those that are not to be had, why."""

    images: tuple[OwnImage, ...]
    lacking: tuple[LabError, ...]


def pull(
    names: Sequence[ImageName], cache: Cache, mirrors: Mirrors, progress: Progress, *, fresh: bool = False
) -> Pulled:
    """The images by these names, from the cache or, where it lacks them and with `fresh`, from registries.

    Raises LabError when the disk is full. Run again it goes on where it stopped.
    """
    known = {} if fresh else {name: record for name in names if (record := cache.recall(KIND, _key(name)))}
    for name, record in known.items():
        progress.note(f"{name} is in the cache, from {record.made_with}; --fresh fetches it again")
    wanted = [name for name in dict.fromkeys(names) if name not in known]
    lacking = []
    if wanted:
        with cache.locked(progress):
            for name, result in zip(wanted, _fetch(wanted, cache, mirrors, progress), strict=True):
                if isinstance(result, LabError):
                    lacking.append(result)
                else:
                    known[name] = result
    images = [own_image(name, known[name], cache) for name in dict.fromkeys(names) if name in known]
    return Pulled(tuple(images), tuple(lacking))


def own_image(name: ImageName, record: Record, cache: Cache) -> OwnImage:
    digest = record.outputs[name.full]
    return OwnImage(name, cache.blob(digest), digest)


def _fetch(
    names: Sequence[ImageName], cache: Cache, mirrors: Mirrors, progress: Progress
) -> Sequence[Record | LabError]:
    mirrors.probe(name.repository for name in names)
    stop = threading.Event()
    with progress.step(f"pull {', '.join(map(str, names))}") as step:
        copier = ImageCopier(mirrors, cache.root / "downloads", Meter(step), stop, architecture())
        return side_by_side([partial(_fetch_one, name, cache, copier) for name in names], stop, WORKERS)


def _fetch_one(name: ImageName, cache: Cache, copier: ImageCopier) -> Record | LabError:
    image = DownloadedImage(name.repository, (name.digest or name.tag,))
    try:
        with cache.work_folder() as folder:
            archive = folder / "image.tar"
            found = copier.copy(image, name.full, archive)
            copier.forget(image)
            require_architecture(read_image(archive), str(name))
            digest = cache.put(archive)
    except UnavailableError as error:
        return LabError(
            f"no registry gives the image {name}",
            details=error.details,
            resolution="check name and tag; a mirror that has it can be named in"
            f" {settings_file()} (docs/supplies.md)",
        )
    except UnfitImageError as error:
        return error
    record = Record(KIND, str(name), name.tag, {name.full: digest}, (found.name,), found.source.host)
    cache.remember(_key(name), record)
    return record


def _key(name: ImageName) -> str:
    return key_of([str(name), architecture()])
