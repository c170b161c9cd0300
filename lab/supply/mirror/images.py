"""Copying one image with skopeo: the tag is resolved to a digest, what has that digest is copied."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.foundation.process import ProcessFailedError, StoppedError, run
from lab.supply.cache import explain_full_disk
from lab.supply.catalogue.downloads import DownloadedImage
from lab.supply.mirror.meter import Meter
from lab.supply.mirror.mirrors import Mirrors, NextSourceError, Source
from lab.supply.mirror.patience import Patience
from lab.supply.mirror.watch import GrowthWatch, bytes_below

INSPECT_SECONDS = 30.0

_WRONG_DIGEST = re.compile(r"[Dd]igest did not match|does not match.*digest")
_LACKING = re.compile(r"manifest unknown|name unknown|not found|404|denied|unauthorized", re.IGNORECASE)


@dataclass(frozen=True)
class Resolved:
    """An image of one source, by the digest of its manifest for this machine."""

    source: Source
    digest: str
    size: int
    """Bytes of its blobs, as they are transferred."""

    @property
    def name(self) -> str:
        return f"{self.source.name}@{self.digest}"


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
        refusals = []
        for source in self.mirrors.in_turn(image.image):
            try:
                found = self._resolve(source, image.tags)
                self._pull(found, layout)
                words = ("--quiet", f"oci:{layout}:image", f"docker-archive:{archive}:{reference}")
                self._skopeo("copy", *words)
                return found
            except NextSourceError as why:
                refusals.append(f"{source.host}: {why}")
        raise self.mirrors.unavailable(image.image, refusals, f":{image.tags[0]}")

    def forget(self, image: DownloadedImage) -> None:
        """Remove what was kept for going on."""
        shutil.rmtree(self._layout(image), ignore_errors=True)

    def _layout(self, image: DownloadedImage) -> Path:
        return self.folder / f"{image.image.replace('/', '_')}_{image.tags[0]}"

    def _resolve(self, source: Source, tags: Sequence[str]) -> Resolved:
        why = ""
        for tag in tags:
            try:
                said = self._inspect(source, f":{tag}")
            except NextSourceError as error:
                why = str(error)
                continue
            manifest = json.loads(said)
            digest = f"sha256:{hashlib.sha256(said.encode()).hexdigest()}"
            if "manifests" in manifest:
                digest = self._for_this_machine(manifest["manifests"])
                manifest = json.loads(self._inspect(source, f"@{digest}"))
            if "layers" not in manifest:
                raise NextSourceError("its manifest has a format that is not known")
            blobs = [manifest["config"], *manifest["layers"]]
            return Resolved(source, digest, sum(blob["size"] for blob in blobs))
        raise NextSourceError(why)

    def _inspect(self, source: Source, which: str) -> str:
        words = ("--raw", f"--tls-verify={_verify(source)}", f"docker://{source.name}{which}")
        try:
            return self._skopeo("inspect", *words, timeout=INSPECT_SECONDS)
        except ProcessFailedError as failed:
            raise NextSourceError(_last_words(failed)) from failed

    def _for_this_machine(self, manifests: Sequence[dict[str, Any]]) -> str:
        for each in manifests:
            platform = each.get("platform", {})
            if (platform.get("os"), platform.get("architecture")) == ("linux", self.architecture):
                return str(each["digest"])
        raise NextSourceError(f"it has the image, but not for {self.architecture}")

    def _pull(self, image: Resolved, layout: Path) -> None:
        layout.mkdir(parents=True, exist_ok=True)
        there = bytes_below(layout)
        expected = max(0, image.size - there)
        self.meter.expect(expected)
        try:
            self._pull_patiently(image, layout)
        finally:
            self.meter.expect(bytes_below(layout) - there - expected)

    def _pull_patiently(self, image: Resolved, layout: Path) -> None:
        """A source that breaks off is asked again as long as that helps."""
        patience = Patience(bytes_below(layout))
        while True:
            try:
                with explain_full_disk(self.folder):
                    self._copy_once(image, layout)
                return
            except ProcessFailedError as failed:
                said = failed.completed.stderr
                why = _last_words(failed)
            if _WRONG_DIGEST.search(said):
                why = f"a blob of its {image.name} is not what its digest says: {why}"
                self.mirrors.drop(image.source.host, why)
                raise NextSourceError(why)
            if patience.is_over(bytes_below(layout)) or _LACKING.search(said):
                self.mirrors.broke_off(image.source.host, f"{image.source.name}: {why}")
                raise NextSourceError(why)
            patience.pause(self.stop)

    def _copy_once(self, image: Resolved, layout: Path) -> None:
        source = image.source
        words = ("--quiet", f"--src-tls-verify={_verify(source)}", f"docker://{image.name}")
        with GrowthWatch(layout, image.size, source, self.meter, self.stop) as watch:
            try:
                self._skopeo("copy", *words, f"oci:{layout}:image", stop=watch.halt)
            except StoppedError:
                if not watch.verdict:
                    raise
                why = f"it gives {watch.verdict} of {source.name}"
                self.mirrors.passed_over(source.host, why)
                raise NextSourceError(why) from None

    def _skopeo(self, verb: str, *words: str, **how: Any) -> str:
        how.setdefault("stop", self.stop)
        policy = ("--insecure-policy", "--override-os=linux", f"--override-arch={self.architecture}")
        return run(("skopeo", *policy, verb, *words), **how).stdout


def _verify(source: Source) -> str:
    return "false" if source.plain_http else "true"


def _last_words(failed: ProcessFailedError) -> str:
    """What skopeo said last, without the time and its repetitions of the image's name."""
    lines = failed.completed.stderr.strip().splitlines()
    said = lines[-1] if lines else failed.brief
    found = re.search(r'msg="(.*)"$', said)
    return (found[1].replace('\\"', '"') if found else said)[-300:]
