"""Images for who pulls them by name: in a registry that keeps them by digest, filled from the mirrors.

The registry is Debian's docker-registry, which only stores and serves. It refuses a list of manifests (one
for each kind of machine) unless it has all that are in it, so lists lie beside it, by digest too.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.foundation.environment import inside_a_lab
from lab.foundation.files import write_atomically
from lab.foundation.image_names import ImageName
from lab.foundation.paths import cache_root
from lab.foundation.process import run
from lab.foundation.progress import Progress
from lab.supply.architecture import architecture
from lab.supply.cache import explain_full_disk
from lab.supply.catalogue import DownloadedImage
from lab.supply.mirror import Mirrors, load_mirrors
from lab.supply.mirror.images import ImageCopier
from lab.supply.mirror.meter import Meter
from lab.supply.mirror.resolving import DIGEST

PROGRAM = "docker-registry"
LIST_TYPE = "application/vnd.oci.image.index.v1+json"
_BY_DIGEST = re.compile(rf"{DIGEST}[0-9a-f]{{64}}")


@dataclass(frozen=True)
class Asked:
    """An image that a runtime asks for: its repository, and a tag or a digest (sha256:...)."""

    repository: str
    """With its registry: docker.io/library/nginx."""
    reference: str

    @classmethod
    def of(cls, registry: str, path: str, reference: str) -> Asked:
        """Raises ValueError for what is no name of an image."""
        behind = f"tag@{reference}" if reference.startswith(DIGEST) else reference
        return cls(ImageName.parse(f"{registry}/{path}:{behind}").repository, reference)

    @property
    def stored_as(self) -> str:
        """The repository in the registry, whose names have no colon."""
        return self.repository.replace(":", "_")

    @property
    def tag(self) -> str:
        """By which it is stored."""
        return self.reference.replace(":", "-")

    def __str__(self) -> str:
        return f"{self.repository}{'@' if self.reference.startswith(DIGEST) else ':'}{self.reference}"


@dataclass(frozen=True)
class ManifestList:
    """As it is at its source."""

    text: bytes
    media_type: str


class RegistryStore:
    """What the registry keeps, below the cache: shared by all labs, and whole after any end of a process."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or cache_root() / "registry"

    @property
    def storage(self) -> Path:
        """The registry's own folder."""
        return self.root / "storage"

    def list_of(self, digest: str) -> ManifestList | None:
        """The list of manifests with that digest."""
        if not _BY_DIGEST.fullmatch(digest):
            return None
        try:
            text = self._list_file(digest).read_bytes()
        except FileNotFoundError:
            return None
        return ManifestList(text, json.loads(text).get("mediaType", LIST_TYPE))

    def keep_list(self, text: str) -> None:
        content = text.encode()
        write_atomically(self._list_file(f"{DIGEST}{hashlib.sha256(content).hexdigest()}"), content)

    def _list_file(self, digest: str) -> Path:
        return self.root / "lists" / digest.removeprefix(DIGEST)


@dataclass(frozen=True)
class Filler:
    """Brings images from the mirrors into a registry that listens at `address`, HOST:PORT without TLS."""

    store: RegistryStore
    address: str
    enter: Callable[[Sequence[str]], list[str]]
    """Makes words of a command words that run it where the registry is."""
    progress: Progress

    def fill(self, asked: Asked) -> None:
        """Take the image, as it is for this kind of machine, into the registry.

        Raises UnavailableError that says of every source why it did not give it, LabError when the disk is
        full.
        """
        # What was wrong with a mirror the last time may be mended, and the user's list may have changed.
        mirrors = Mirrors(load_mirrors(), self.progress)
        mirrors.probe([asked.repository])
        self.store.root.mkdir(parents=True, exist_ok=True)
        with (
            self.progress.step(f"pull {asked}") as step,
            explain_full_disk(self.store.root),
            tempfile.TemporaryDirectory(prefix=".fetched-", dir=self.store.root) as folder,
        ):
            copier = ImageCopier(mirrors, Path(folder), Meter(step), threading.Event(), architecture())
            found = copier.copy_as_it_is(
                DownloadedImage(asked.repository, (asked.reference,)), Path(folder) / "image"
            )
            self._push(Path(folder) / "image", asked)
            if found.listed_in:
                self.store.keep_list(found.listed_in)

    def _push(self, folder: Path, asked: Asked) -> None:
        words = (
            *("skopeo", "--insecure-policy", "copy", "--quiet", "--preserve-digests"),
            *("--dest-tls-verify=false", f"dir:{folder}"),
            f"docker://{self.address}/{asked.stored_as}:{asked.tag}",
        )
        run(self.enter(words), env=inside_a_lab())
