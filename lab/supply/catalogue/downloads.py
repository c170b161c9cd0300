"""What the supply `mirror` brings for one version of Kubernetes, as data."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints
from pydantic.dataclasses import dataclass

from lab.foundation.strict import STRICT

Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


class Place(StrEnum):
    """Where a downloaded program goes."""

    NODE = "node"
    """On every node's PATH."""
    CNI = "cni"
    """In every node's folder of CNI plugins."""


@dataclass(frozen=True, config=STRICT)
class Inside:
    """A program inside a download; `path` is its place in the archive or image, None the download itself."""

    name: str
    use: Place
    path: str | None = None


@dataclass(frozen=True, config=STRICT)
class DownloadedFile:
    """A program or an archive of programs. `{arch}` in `url` is a key of `sha256`: amd64, arm64."""

    url: str
    sha256: Mapping[str, Sha256]
    programs: tuple[Inside, ...]
    missing: str | None = None
    """When set, a lab can do without it, and this is what it then does; otherwise the file must be had."""

    def url_for(self, architecture: str) -> str:
        """The upstream URL for amd64, arm64."""
        return self.url.format(arch=architecture)


@dataclass(frozen=True, config=STRICT)
class DownloadedImage:
    """An image by its upstream name, and the tags it has upstream or at mirrors, in the order to try."""

    image: str
    tags: tuple[str, ...]
    name: str | None = None
    """What the lab calls it, with the first tag; None: the image is only there for its programs."""
    programs: tuple[Inside, ...] = ()
    missing: str | None = None
    """As for files."""


Download = DownloadedFile | DownloadedImage


@dataclass(frozen=True, config=STRICT)
class Downloads:
    """Everything the supply `mirror` asks for."""

    files: tuple[DownloadedFile, ...] = ()
    images: tuple[DownloadedImage, ...] = ()
    images_on_demand: tuple[DownloadedImage, ...] = ()
    """Images that the box does without, for the modes that need them."""

    @property
    def names(self) -> tuple[str, ...]:
        """The upstream names of everything that a lab cannot do without."""
        files = [file.url for file in self.files if file.missing is None]
        return (*files, *(image.image for image in self.images if image.missing is None))
