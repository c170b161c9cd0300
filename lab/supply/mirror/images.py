"""Copying one image with skopeo: the tag is resolved to a digest, what has that digest is copied."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.foundation.process import ProcessFailedError, StoppedError
from lab.supply.cache import explain_full_disk
from lab.supply.catalogue.downloads import DownloadedImage
from lab.supply.mirror.meter import Meter
from lab.supply.mirror.mirrors import Mirrors, NextSourceError
from lab.supply.mirror.patience import Patience
from lab.supply.mirror.resolving import ImageResolver, Resolved, last_words, verify
from lab.supply.mirror.watch import GrowthWatch, bytes_below

_WRONG_DIGEST = re.compile(r"[Dd]igest did not match|does not match.*digest")
_LACKING = re.compile(r"manifest unknown|name unknown|not found|404|denied|unauthorized", re.IGNORECASE)


@dataclass(frozen=True)
class _Target:
    """Where an image is copied to: the folder, how skopeo names it, and skopeo's options for that."""

    folder: Path
    name: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageCopier:
    """Copies images into folders that outlive a killed run: a blob that is there is not fetched again.

    `architecture` is the one of the images: amd64, arm64.
    """

    mirrors: Mirrors
    folder: Path
    meter: Meter
    stop: threading.Event
    architecture: str

    def copy(self, image: DownloadedImage, reference: str, archive: Path) -> Resolved:
        """Write the image as a docker-archive that names it `reference`; returns where it came from.

        Raises UnavailableError that says of every source why it did not give it, StoppedError when other work
        failed.
        """
        layout = self._layout(image)
        target = _Target(layout, f"oci:{layout}:image")
        found = self._from_one(image, lambda found: self._pull(found, target))
        self._resolver.skopeo("copy", "--quiet", target.name, f"docker-archive:{archive}:{reference}")
        return found

    def copy_as_it_is(self, image: DownloadedImage, folder: Path) -> Resolved:
        """Write the image into `folder` in skopeo's format `dir`; its manifest has the digest that it had.

        Raises like `copy`.
        """
        target = _Target(folder, f"dir:{folder}", ("--preserve-digests",))
        return self._from_one(image, lambda found: self._pull(found, target))

    def _from_one(self, image: DownloadedImage, take: Callable[[Resolved], None]) -> Resolved:
        """From the first source that gives it: `take` raises NextSourceError for one that does not."""
        refusals = []
        for source in self.mirrors.in_turn(image.image):
            try:
                found = self._resolver.resolve(source, image.tags)
                take(found)
                return found
            except NextSourceError as why:
                refusals.append(f"{source.host}: {why}")
        raise self.mirrors.unavailable(image.image, refusals, f":{image.tags[0]}")

    def forget(self, image: DownloadedImage) -> None:
        """Remove what was kept for going on."""
        shutil.rmtree(self._layout(image), ignore_errors=True)

    def _layout(self, image: DownloadedImage) -> Path:
        # skopeo takes a colon in a path for the end of it.
        return self.folder / re.sub("[/:]", "_", f"{image.image}_{image.tags[0]}")

    @property
    def _resolver(self) -> ImageResolver:
        return ImageResolver(self.architecture, self.stop)

    def _pull(self, image: Resolved, target: _Target) -> None:
        layout = target.folder
        layout.mkdir(parents=True, exist_ok=True)
        there = bytes_below(layout)
        expected = max(0, image.size - there)
        self.meter.expect(expected)
        try:
            self._pull_patiently(image, target)
        finally:
            self.meter.expect(bytes_below(layout) - there - expected)

    def _pull_patiently(self, image: Resolved, target: _Target) -> None:
        """A source that breaks off is asked again as long as that helps."""
        layout = target.folder
        patience = Patience(bytes_below(layout))
        while True:
            try:
                with explain_full_disk(self.folder):
                    self._copy_once(image, target)
                return
            except ProcessFailedError as failed:
                said = failed.completed.stderr
                why = last_words(failed)
            if _WRONG_DIGEST.search(said):
                why = f"a blob of its {image.name} is not what its digest says: {why}"
                self.mirrors.drop(image.source.host, why)
                raise NextSourceError(why)
            if patience.is_over(bytes_below(layout)) or _LACKING.search(said):
                self.mirrors.broke_off(image.source.host, f"{image.source.name}: {why}")
                raise NextSourceError(why)
            patience.pause(self.stop)

    def _copy_once(self, image: Resolved, target: _Target) -> None:
        source = image.source
        tls = f"--src-tls-verify={verify(source)}"
        words = ("--quiet", *target.options, tls, f"docker://{image.name}", target.name)
        with GrowthWatch(target.folder, image.size, source, self.meter, self.stop) as watch:
            try:
                self._resolver.skopeo("copy", *words, stop=watch.halt)
            except StoppedError:
                if not watch.verdict:
                    raise
                why = f"it gives {watch.verdict} of {source.name}"
                self.mirrors.passed_over(source.host, why)
                raise NextSourceError(why) from None
