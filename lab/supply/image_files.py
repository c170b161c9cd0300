"""Images from files: what `docker save`, `skopeo copy`, `podman save` and `buildx` write."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.image_names import ImageName
from lab.foundation.process import ProcessFailedError, run
from lab.foundation.progress import Progress
from lab.supply.architecture import architecture
from lab.supply.cache import Cache, Record, explain_full_disk, key_of
from lab.supply.docker_archive import INDEX, read_image, require_architecture
from lab.supply.mirror.resolving import last_words
from lab.supply.own_images import KIND, OwnImage, own_image

LAYOUT, LAYOUT_INDEX = "oci-layout", "index.json"
# https://github.com/opencontainers/image-spec/blob/main/annotations.md, and containerd's own.
TAG_ANNOTATION = "org.opencontainers.image.ref.name"
NAME_ANNOTATION = "io.containerd.image.name"


@dataclass(frozen=True)
class FiledImage:
    """One image in a file or folder; `transport` and `which` are how skopeo finds it there."""

    name: ImageName | None
    transport: str
    which: str

    def source(self, path: Path) -> str:
        return f"{self.transport}:{path}{f':{self.which}' if self.which else ''}"


def images_in(path: Path) -> tuple[FiledImage, ...]:
    """All images in a docker-archive, an oci-archive or the folder of an OCI layout.

    Raises LabError when it is none of them.
    """
    if path.is_dir():
        if (path / LAYOUT).is_file() and (path / LAYOUT_INDEX).is_file():
            return _of_layout("oci", _parsed(path, (path / LAYOUT_INDEX).read_bytes()))
        raise _no_archive(path, f"the folder has no {LAYOUT} with {LAYOUT_INDEX}")
    try:
        with tarfile.open(path) as tar:
            members = {name.removeprefix("./"): name for name in tar.getnames()}
            # docker writes both since version 25; by its own index names are whole.
            for index in (INDEX, LAYOUT_INDEX):
                content = tar.extractfile(members[index]) if index in members else None
                if content is not None:
                    said = _parsed(path, content.read())
                    return _of_docker(said) if index == INDEX else _of_layout("oci-archive", said)
    except (tarfile.TarError, EOFError, KeyError, TypeError, AttributeError) as error:
        raise _no_archive(path, str(error)) from error
    raise _no_archive(path, f"it has neither {INDEX} nor {LAYOUT_INDEX}")


def chosen(
    path: Path, found: Sequence[FiledImage], only: Sequence[ImageName], name: ImageName | None
) -> tuple[tuple[FiledImage, ImageName], ...]:
    """The images to load with their names: all, or `only` those; `name` is for one that shall have it.

    Raises WrongUseError for what is not there, or has no name.
    """
    there = {each.name.full: each for each in found if each.name}
    known = ", ".join(str(each.name) for each in there.values()) or "none that has a name"
    for wanted in only:
        if wanted.full not in there:
            raise WrongUseError(
                f"{path} has no image {wanted}", details=f"there are: {known}", resolution="name one of them"
            )
    picked = [there[wanted.full] for wanted in only] or list(found)
    if name is not None:
        if len(picked) != 1:
            raise WrongUseError(
                f"{path} has {len(picked)} images, which cannot all be {name}",
                details=f"there are: {known}",
                resolution=f"lab image load {path} --only IMAGE --as {name}",
            )
        return ((picked[0], name),)
    named = [(each, each.name) for each in picked if each.name]
    if len(named) != len(picked) or not picked:
        raise WrongUseError(
            f"an image in {path} has no name" if picked else f"there is no image in {path}",
            resolution=f"lab image load {path} --as NAME:TAG" if picked else "write the archive again",
        )
    return tuple((each, own) for each, own in named if own)


def load(
    path: Path, chosen_: Sequence[tuple[FiledImage, ImageName]], cache: Cache, progress: Progress
) -> tuple[OwnImage, ...]:
    """Take these images of the file into the cache.

    Raises LabError for an image that cannot be read or is for another kind of machine.
    """
    with cache.locked(progress):
        loaded = []
        for image, name in chosen_:
            with progress.step(f"read {name}"):
                loaded.append(_load_one(path, image, name, cache))
        return tuple(loaded)


def _load_one(path: Path, image: FiledImage, name: ImageName, cache: Cache) -> OwnImage:
    with cache.work_folder() as folder:
        # skopeo takes a colon in a path for the end of it.
        link = folder / "source"
        link.symlink_to(path.absolute())
        archive = folder / "image.tar"
        platform = ("--override-os=linux", f"--override-arch={architecture()}")
        words = ("skopeo", "--insecure-policy", f"--tmpdir={folder}", *platform, "copy", "--quiet")
        try:
            with explain_full_disk(cache.root):
                run((*words, image.source(link), f"docker-archive:{archive}:{name.full}"))
        except ProcessFailedError as failed:
            raise LabError(
                f"the image {name} cannot be read from {path}",
                details=last_words(failed),
                resolution=f"write it again, for linux/{architecture()}: docker save --output FILE {name}",
            ) from failed
        require_architecture(read_image(archive), str(name))
        digest = cache.put(archive)
    record = Record(KIND, str(name), name.tag, {name.full: digest}, (), path.name)
    cache.remember(key_of([name.full, digest]), record)
    return own_image(name, record, cache)


def _of_docker(said: Any) -> tuple[FiledImage, ...]:
    found = []
    for number, image in enumerate(said):
        tags = image.get("RepoTags") or []
        found += [FiledImage(_name(tag), "docker-archive", tag) for tag in tags]
        if not tags:
            found.append(FiledImage(None, "docker-archive", f"@{number}"))
    return tuple(found)


def _of_layout(transport: str, said: Any) -> tuple[FiledImage, ...]:
    found = []
    for image in said.get("manifests", []):
        annotations = image.get("annotations") or {}
        tag = annotations.get(TAG_ANNOTATION, "")
        named = annotations.get(NAME_ANNOTATION, tag)
        found.append(FiledImage(_name(named), transport, tag))
    return tuple(found)


def _name(text: str) -> ImageName | None:
    """None for a mere tag, and for what no runtime takes as a name."""
    try:
        return ImageName.parse(text) if "/" in text or ":" in text else None
    except ValueError:
        return None


def _parsed(path: Path, index: bytes) -> Any:
    try:
        return json.loads(index)
    except ValueError as error:
        raise _no_archive(path, str(error)) from error


def _no_archive(path: Path, why: str) -> LabError:
    return LabError(
        f"{path} is no archive of images",
        details=why,
        resolution="write one with `docker save --output FILE IMAGE` or "
        "`skopeo copy docker://IMAGE docker-archive:FILE:IMAGE`; a folder must be an OCI layout",
    )
