"""The software that goes into a box, as every supply hands it over."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REGISTRY = "registry.lab.internal"
"""The registry's name in every reference. Nodes have the images already: nothing answers to this name."""


def image_name(reference: str) -> str:
    """The last part of an image's reference without the tag, such as pause."""
    return reference.rpartition("/")[2].partition(":")[0]


@dataclass(frozen=True)
class Image:
    """A container image in the cache, as a docker-archive tar.

    `digest` is the SHA-256 of the archive, as 64 hexadecimal digits.
    """

    reference: str
    archive: Path
    digest: str

    @property
    def name(self) -> str:
        return image_name(self.reference)


@dataclass(frozen=True)
class Software:
    """Everything a node of one Kubernetes version needs."""

    kubernetes_version: str
    binaries: Mapping[str, Path]
    """kubelet, kubeadm, kubectl, agnhost; crictl and cri-dockerd where the supply has them."""
    cni_plugins: Mapping[str, Path]
    images: tuple[Image, ...]
    digest: str
    """SHA-256 over all of it that goes into the box."""
    images_on_demand: tuple[Image, ...] = ()
    """Images that are brought to the nodes for a mode that needs them."""


def software_digest(
    kubernetes_version: str,
    binaries: Mapping[str, str],
    cni_plugins: Mapping[str, str],
    images: Mapping[str, str],
) -> str:
    """SHA-256 over the version and the digests of all parts, each a mapping from name to digest."""
    parts = {
        "kubernetes": kubernetes_version,
        "binaries": dict(binaries),
        "cni plugins": dict(cni_plugins),
        "images": dict(images),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
