"""What mirrors brought, and how the supply `packages` fills what they did not."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from lab.foundation.errors import LabError
from lab.foundation.progress import Progress
from lab.supply import packages
from lab.supply.cache import Cache
from lab.supply.catalogue import Download, DownloadedFile, DownloadedImage, Entry, Parts
from lab.supply.software import image_name
from lab.supply.stock import Contents


@dataclass(frozen=True)
class Lacking:
    """A download that no mirror has, and what each of them said."""

    item: Download
    why: str


@dataclass(frozen=True)
class Brought:
    """Digests by name (images by reference), and what could not be had."""

    binaries: dict[str, str] = field(default_factory=dict)
    cni_plugins: dict[str, str] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    lacking: tuple[Lacking, ...] = ()

    @property
    def parts(self) -> Parts:
        images = frozenset(map(image_name, self.images))
        return Parts(frozenset((*self.binaries, *self.cni_plugins)), images)


def fill(entry: Entry, brought: Brought, cache: Cache, progress: Progress) -> Brought:
    """What the mirrors brought, with what `packages` can add.

    Raises LabError when something is missing then that a lab cannot do without.
    """
    needed = Parts(frozenset(), frozenset())
    for lacking in brought.lacking:
        if lacking.item.missing is None:
            progress.note(f"no mirror has {title(lacking.item)} ({lacking.why})")
            needed |= parts_of(lacking.item)
    if needed:
        brought = _build(needed, entry, brought, cache, progress)
    if still := needed - brought.parts:
        raise LabError(f"neither mirrors nor packages have {still}")
    if others := entry.parts - brought.parts:
        try:
            brought = _build(others, entry, brought, cache, progress)
        except LabError as error:
            progress.note(f"left out: {others} ({error.brief})")
    for lacking in brought.lacking:
        if lacking.item.missing and parts_of(lacking.item) - brought.parts:
            progress.note(f"{lacking.item.missing}: no mirror has {title(lacking.item)} ({lacking.why})")
    return brought


def _build(parts: Parts, entry: Entry, brought: Brought, cache: Cache, progress: Progress) -> Brought:
    progress.note(f"not from mirrors but built from packages: {parts}")
    built = Contents.of(packages.fetch(entry.kubernetes_version, cache, progress, only=parts))
    return replace(
        brought,
        binaries={**built.binaries, **brought.binaries},
        cni_plugins={**built.cni_plugins, **brought.cni_plugins},
        images={**brought.images, **built.images},
    )


def parts_of(item: Download) -> Parts:
    name = item.name if isinstance(item, DownloadedImage) else None
    return Parts(frozenset(program.name for program in item.programs), frozenset([name] if name else []))


def title(item: Download) -> str:
    """Its upstream name."""
    return item.url if isinstance(item, DownloadedFile) else f"{item.image}:{item.tags[0]}"
