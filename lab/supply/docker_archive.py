"""Reading docker-archives: one tar with an image's configuration and its layers, uncompressed."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lab.foundation.errors import LabError
from lab.supply.architecture import architecture

INDEX = "manifest.json"


class UnfitImageError(LabError):
    """An image cannot run on the nodes."""


@dataclass(frozen=True)
class ArchivedImage:
    """One image in an archive, without the contents of its layers."""

    configuration: bytes
    layers: tuple[str, ...]
    """Members of the archive, the lowest first."""
    sizes: tuple[int, ...]
    """Bytes of the layers."""

    @property
    def digest(self) -> str:
        """The image's ID: that of its configuration, sha256:..."""
        return digest_of(self.configuration)

    @property
    def layer_digests(self) -> tuple[str, ...]:
        return tuple(self._said["rootfs"]["diff_ids"])

    @property
    def platform(self) -> str:
        """Such as linux/amd64."""
        return f"{self._said.get('os', 'linux')}/{self._said.get('architecture', 'unknown')}"

    @property
    def _said(self) -> Mapping[str, Any]:
        said: Mapping[str, Any] = json.loads(self.configuration)
        return said


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def read_image(archive: Path) -> ArchivedImage:
    """The one image in a docker-archive that skopeo wrote. Raises UnfitImageError for one without layers."""
    with tarfile.open(archive) as tar:
        said = json.loads(_member(tar, INDEX).read())[0]
        layers = tuple(said["Layers"] or ())
        if not layers:
            raise UnfitImageError(
                "the image has no layers, so nothing in it can run", resolution="use another image"
            )
        return ArchivedImage(
            configuration=_member(tar, said["Config"]).read(),
            layers=layers,
            sizes=tuple(tar.getmember(layer).size for layer in layers),
        )


def require_architecture(image: ArchivedImage, name: str) -> None:
    """Raises UnfitImageError when the image is not for this host's kind of machine, the nodes' own."""
    wanted = f"linux/{architecture()}"
    if image.platform != wanted:
        raise UnfitImageError(
            f"the image {name} is for {image.platform}, the nodes are {wanted}",
            resolution=f"take one that was built for {wanted} (docker build --platform {wanted})",
        )


@contextmanager
def layer_files(archive: Path, image: ArchivedImage) -> Iterator[tuple[tarfile.TarFile, ...]]:
    """The layers of the image as open tar files, the lowest first."""
    with ExitStack() as stack:
        tar = stack.enter_context(tarfile.open(archive))
        yield tuple(stack.enter_context(tarfile.open(fileobj=_member(tar, layer))) for layer in image.layers)


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    content = tar.extractfile(name)
    assert content is not None
    return content
