"""Choosing the supply: what `auto` means at this moment on this host; then the software comes from it."""

from __future__ import annotations

from dataclasses import dataclass

from lab.foundation.errors import LabError
from lab.foundation.progress import Progress
from lab.supply import mirror, packages
from lab.supply.cache import Cache
from lab.supply.catalogue import load_entry
from lab.supply.mirror import Mirrors
from lab.supply.software import Software
from lab.supply.stock import kept
from lab.topology.models import Supply


@dataclass(frozen=True)
class Choice:
    """A settled supply. `mirrors` are those that answered, where they were asked already."""

    supply: Supply
    mirrors: Mirrors | None = None
    may_fall_back: bool = False
    """Whether another supply may be taken when this one fails."""


def settle(wanted: Supply, version: str, cache: Cache, progress: Progress) -> Choice:
    """The supply to use for Kubernetes `version`; for `auto` the choice and its reason are said.

    What is in the cache comes first: a bundle, because somebody brought it on purpose, then what mirrors
    gave, then what was built here. Then mirrors that answer within seconds, then `packages`.
    """
    if wanted is not Supply.AUTO:
        return Choice(wanted)
    entry = load_entry(version)
    if kept(cache, Supply.BUNDLE, version):
        progress.note("supply: bundle, which was imported")
        return Choice(Supply.BUNDLE)
    downloaded = kept(cache, Supply.MIRROR, version)
    if downloaded and downloaded.made_of == mirror.asked_for(entry):
        progress.note("supply: mirror, whose software is in the cache")
        return Choice(Supply.MIRROR)
    if packages.is_made(version, cache):
        progress.note("supply: packages, whose software is in the cache")
        return Choice(Supply.PACKAGES)
    names = entry.downloads.names
    mirrors = Mirrors(mirror.load_mirrors(), progress)
    with progress.step("asking mirrors whether they answer"):
        mirrors.probe(names)
    if names and mirrors.can_serve(names):
        progress.note("supply: mirror")
        return Choice(Supply.MIRROR, mirrors, may_fall_back=True)
    progress.note("supply: packages, because no mirror answers for all that is needed")
    return Choice(Supply.PACKAGES)


def bring(choice: Choice, version: str, cache: Cache, progress: Progress) -> tuple[Supply, Software]:
    """The software, and the supply that brought it in the end."""
    if choice.supply is Supply.BUNDLE:
        return Supply.BUNDLE, _bundled(version, cache)
    if choice.supply is Supply.MIRROR:
        try:
            return Supply.MIRROR, _mirrored(choice, version, cache, progress)
        except LabError as error:
            if not choice.may_fall_back:
                raise
            progress.note(f"supply: packages instead of mirror: {error.brief}")
    return Supply.PACKAGES, packages.fetch(version, cache, progress)


def _mirrored(choice: Choice, version: str, cache: Cache, progress: Progress) -> Software:
    """What the cache has of an earlier run with the same wishes, else what mirrors give."""
    downloaded = kept(cache, Supply.MIRROR, version)
    if downloaded and downloaded.made_of == mirror.asked_for(load_entry(version)):
        return downloaded.software(cache)
    mirrors = choice.mirrors or Mirrors(mirror.load_mirrors(), progress)
    return mirror.fetch(version, cache, mirrors, progress)


def _bundled(version: str, cache: Cache) -> Software:
    contents = kept(cache, Supply.BUNDLE, version)
    if contents is None:
        raise LabError(
            f"the cache has no bundle with Kubernetes {version}",
            details="none was imported, or a part of it was damaged and removed",
            resolution="lab supply import FILE, or use another --supply",
        )
    return contents.software(cache)
