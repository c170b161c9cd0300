"""Complete sets of software in the cache: what a supply has brought for one version of Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated

from pydantic import StringConstraints, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from lab.foundation.files import write_atomically
from lab.foundation.strict import STRICT
from lab.supply.cache import Cache
from lab.supply.software import Image, Software, software_digest
from lab.topology.models import Supply

Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
"""A SHA-256 as 64 hexadecimal digits."""


@dataclass(frozen=True, config=STRICT)
class Contents:
    """Software by the digests of its parts: what a `Software` is on any machine, wherever its cache lies."""

    kubernetes_version: str
    binaries: Mapping[str, Digest]
    cni_plugins: Mapping[str, Digest]
    images: Mapping[str, Digest]
    """Docker-archives by the reference of the image in them."""
    images_on_demand: Mapping[str, Digest] = field(default_factory=dict)
    made_of: str = ""
    """A digest of what the supply was asked for; other wishes, other contents."""

    @classmethod
    def of(cls, software: Software, made_of: str = "") -> Contents:
        return cls(
            kubernetes_version=software.kubernetes_version,
            binaries={name: path.name for name, path in software.binaries.items()},
            cni_plugins={name: path.name for name, path in software.cni_plugins.items()},
            images={image.reference: image.digest for image in software.images},
            images_on_demand={image.reference: image.digest for image in software.images_on_demand},
            made_of=made_of,
        )

    @property
    def digests(self) -> frozenset[str]:
        return frozenset(self.named.values())

    @property
    def named(self) -> Mapping[str, str]:
        """All digests by the names of programs, plugins and images."""
        return {**self.binaries, **self.cni_plugins, **self.images, **self.images_on_demand}

    def software(self, cache: Cache) -> Software:
        """The same as files of this cache."""
        blob = cache.blob
        return Software(
            kubernetes_version=self.kubernetes_version,
            binaries={name: blob(digest) for name, digest in sorted(self.binaries.items())},
            cni_plugins={name: blob(digest) for name, digest in sorted(self.cni_plugins.items())},
            images=tuple(Image(name, blob(digest), digest) for name, digest in self.images.items()),
            digest=software_digest(self.kubernetes_version, self.binaries, self.cni_plugins, self.images),
            images_on_demand=tuple(
                Image(name, blob(digest), digest) for name, digest in self.images_on_demand.items()
            ),
        )


_CONTENTS = TypeAdapter(Contents)


def keep(cache: Cache, supply: Supply, contents: Contents) -> None:
    """Write down that the cache has all of it; replaces what the supply brought for that version before.

    `lab box prune` leaves the box for it.
    """
    path = cache.root / "software" / contents.kubernetes_version / f"{supply.value}.json"
    write_atomically(path, _CONTENTS.dump_json(contents, indent=1))


def kept(cache: Cache, supply: Supply, version: str) -> Contents | None:
    """What the supply brought for that version; None when that is nothing or a part of it is gone."""
    try:
        text = (cache.root / "software" / version / f"{supply.value}.json").read_text()
        contents = _CONTENTS.validate_json(text)
    except (OSError, ValidationError):
        return None
    return contents if all(cache.blob(digest).exists() for digest in contents.digests) else None


def all_kept(cache: Cache, supply: Supply) -> tuple[Contents, ...]:
    """What the supply brought, for all versions of Kubernetes."""
    found = sorted(cache.root.glob(f"software/*/{supply.value}.json"))
    return tuple(contents for path in found if (contents := kept(cache, supply, path.parent.name)))
