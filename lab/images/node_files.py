"""What a node gets of an image: the files it fetches, made on the host once for all nodes."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.supply.docker_archive import ArchivedImage, digest_of, read_image
from lab.supply.flattening import flatten
from lab.supply.own_images import OwnImage

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIGURATION = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class NodeImage:
    """An image as one container runtime wants it."""

    name: str
    """As the runtime keeps it."""
    digest: str
    """Of the configuration: what runtimes call the image's ID."""
    snapshot: str
    """The digest by which containerd knows all layers together."""
    files: Mapping[str, Path]
    """What the node fetches, by what it is for."""
    size: int
    """Bytes that it takes on the node, at most."""


def whole(image: OwnImage) -> NodeImage:
    """For docker: the archive, which it takes apart by itself, beside what came out of it."""
    read = read_image(image.archive)
    size = image.archive.stat().st_size
    return NodeImage(
        image.name.familiar, read.digest, snapshot_of(read), {"archive": image.archive}, 2 * size
    )


def unpacked(image: OwnImage, folder: Path) -> NodeImage:
    """For containerd: the files of all layers as they lie in a snapshot, and what describes the image.

    The files are written below `folder`, which is empty. Raises LabError when the disk is full.
    """
    read = read_image(image.archive)
    root, description = folder / "root.tar", folder / "description.tar"
    flatten(image.archive, read, root)
    _describe(read, image.name.full, description)
    return NodeImage(
        image.name.full,
        read.digest,
        snapshot_of(read),
        {"root": root, "description": description},
        root.stat().st_size,
    )


def snapshot_of(image: ArchivedImage) -> str:
    """The ChainID of all layers: https://github.com/opencontainers/image-spec/blob/main/config.md."""
    first, *others = image.layer_digests
    chain = first
    for layer in others:
        chain = f"sha256:{hashlib.sha256(f'{chain} {layer}'.encode()).hexdigest()}"
    return chain


def _describe(image: ArchivedImage, name: str, target: Path) -> None:
    """Write an OCI layout without the contents of layers: unpacked, nobody reads those any more."""
    layers = [
        {"mediaType": LAYER, "digest": digest, "size": size}
        for digest, size in zip(image.layer_digests, image.sizes, strict=True)
    ]
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _described(CONFIGURATION, image.configuration),
            "layers": layers,
        }
    )
    system, architecture = image.platform.split("/")
    listed = {
        **_described(MANIFEST, manifest),
        "platform": {"os": system, "architecture": architecture},
        "annotations": {"io.containerd.image.name": name},
    }
    contents = {
        "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
        "index.json": _json({"schemaVersion": 2, "manifests": [listed]}),
        **{f"blobs/{digest_of(blob).replace(':', '/')}": blob for blob in (manifest, image.configuration)},
    }
    with tarfile.open(target, "w") as archive:
        for path, content in contents.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def _described(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
