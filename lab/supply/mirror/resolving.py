"""Resolving an image's tag at one source to the manifest for one kind of machine, with skopeo."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lab.foundation.process import ProcessFailedError, run
from lab.supply.mirror.mirrors import NextSourceError, Source
from lab.supply.mirror.patience import Patience

INSPECT_SECONDS = 30.0
DIGEST = "sha256:"
# HTTP status 429; "toomanyrequests" is its code in the OCI distribution specification.
_TOO_MANY = re.compile(r"too ?many ?requests|status(?: code)? 429", re.IGNORECASE)


@dataclass(frozen=True)
class Resolved:
    """An image of one source, by the digest of its manifest for this machine."""

    source: Source
    digest: str
    size: int
    """Bytes of its blobs, as they are transferred."""
    listed_in: str = ""
    """The list of manifests, one for each kind of machine, that was resolved; "" where there was none."""

    @property
    def name(self) -> str:
        return f"{self.source.name}@{self.digest}"


@dataclass(frozen=True)
class ImageResolver:
    """Asks registries for manifests and for nothing else; `architecture` is amd64, arm64."""

    architecture: str
    stop: threading.Event
    limit: float = INSPECT_SECONDS
    """Seconds for one manifest."""

    def resolve(self, source: Source, tags: Sequence[str]) -> Resolved:
        """The image by the first of the tags that the source has; a digest, sha256:..., may be one of them.

        Raises NextSourceError that says why it has none, StoppedError when other work failed.
        """
        why = ""
        for tag in tags:
            by_digest = tag.startswith(DIGEST)
            try:
                said = self._inspect(source, f"{'@' if by_digest else ':'}{tag}")
            except NextSourceError as error:
                why = str(error)
                continue
            manifest = json.loads(said)
            digest = f"{DIGEST}{hashlib.sha256(said.encode()).hexdigest()}"
            if by_digest and digest != tag:
                raise NextSourceError(f"its manifest {tag} has the digest {digest}")
            listed_in = said if "manifests" in manifest else ""
            if listed_in:
                digest = self._for_this_machine(manifest["manifests"])
                manifest = json.loads(self._inspect(source, f"@{digest}"))
            if "layers" not in manifest:
                raise NextSourceError("its manifest has a format that is not known")
            blobs = [manifest["config"], *manifest["layers"]]
            return Resolved(source, digest, sum(blob["size"] for blob in blobs), listed_in)
        raise NextSourceError(why)

    def skopeo(self, verb: str, *words: str, **how: Any) -> str:
        """Run skopeo for images of this kind of machine, with `how` for `run`; what it printed."""
        how.setdefault("stop", self.stop)
        policy = ("--insecure-policy", "--override-os=linux", f"--override-arch={self.architecture}")
        return run(("skopeo", *policy, verb, *words), **how).stdout

    def _inspect(self, source: Source, which: str) -> str:
        words = ("--raw", f"--tls-verify={verify(source)}", f"docker://{source.name}{which}")
        patience = Patience(0)
        while True:
            try:
                return self.skopeo("inspect", *words, timeout=self.limit)
            except ProcessFailedError as failed:
                busy = _TOO_MANY.search(failed.completed.stderr)
                if not busy or patience.is_over(0):
                    raise NextSourceError(last_words(failed)) from failed
            patience.pause(self.stop)

    def _for_this_machine(self, manifests: Sequence[dict[str, Any]]) -> str:
        for each in manifests:
            platform = each.get("platform", {})
            if (platform.get("os"), platform.get("architecture")) == ("linux", self.architecture):
                return str(each["digest"])
        raise NextSourceError(f"it has the image, but not for {self.architecture}")


def verify(source: Source) -> str:
    """The value of skopeo's option --tls-verify."""
    return "false" if source.plain_http else "true"


def last_words(failed: ProcessFailedError) -> str:
    """What skopeo said last, without the time and its repetitions of the image's name."""
    lines = failed.completed.stderr.strip().splitlines()
    said = lines[-1] if lines else failed.why
    found = re.search(r'msg="(.*)"$', said)
    return (found[1].replace('\\"', '"') if found else said)[-300:]
