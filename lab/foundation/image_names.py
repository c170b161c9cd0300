"""Names of container images, as people write them and as container runtimes keep them."""

from __future__ import annotations

import re
from dataclasses import dataclass

DOCKER_HUB = "docker.io"
OFFICIAL = "library/"
DEFAULT_TAG = "latest"
ALSO_DOCKER_HUB = ("index.docker.io", "registry-1.docker.io")
"""Other names of Docker Hub that people find in messages."""

# https://pkg.go.dev/github.com/distribution/reference: the grammar.
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d+)?")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
EXPECTED = "the name of an image such as nginx:1.25 or registry.k8s.io/pause:3.9"


@dataclass(frozen=True)
class ImageName:
    """An image by registry, path and tag; with `digest` (sha256:...), only what has that digest is it."""

    registry: str
    path: str
    tag: str
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> ImageName:
        """`nginx` is docker.io/library/nginx:latest. Raises ValueError that says what was expected."""
        rest, at, digest = text.partition("@")
        if at and not _DIGEST.fullmatch(digest):
            raise ValueError(f"{EXPECTED}; a digest is sha256: and 64 hexadecimal digits")
        first, slash, behind = rest.partition("/")
        is_host = bool(slash) and (first == "localhost" or bool(re.search(r"[.:A-Z]", first)))
        registry, rest = (first, behind) if is_host else (DOCKER_HUB, rest)
        registry = DOCKER_HUB if registry in ALSO_DOCKER_HUB else registry
        path, colon, tag = rest.partition(":")
        if not (_HOST.fullmatch(registry) and _PATH.fullmatch(path) and (_TAG.fullmatch(tag) or not colon)):
            raise ValueError(EXPECTED)
        if digest and not tag:
            raise ValueError(f"a tag too, as nodes know images by their tags: {rest}:TAG@{digest}")
        if registry == DOCKER_HUB and "/" not in path:
            path = OFFICIAL + path
        return cls(registry, path, tag or DEFAULT_TAG, digest)

    @property
    def repository(self) -> str:
        """Without tag and digest: docker.io/library/nginx."""
        return f"{self.registry}/{self.path}"

    @property
    def full(self) -> str:
        """As containerd keeps it: docker.io/library/nginx:1.25."""
        return f"{self.repository}:{self.tag}"

    @property
    def familiar(self) -> str:
        """As docker keeps it: nginx:1.25."""
        short = self.full.removeprefix(f"{DOCKER_HUB}/")
        return short.removeprefix(OFFICIAL) if short != self.full else short

    def __str__(self) -> str:
        """As people write it, with the digest where one was given."""
        return f"{self.familiar}@{self.digest}" if self.digest else self.familiar
