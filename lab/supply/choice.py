"""Choosing the supply: what `auto` means at this moment, on this host."""

from __future__ import annotations

from lab.foundation.errors import LabError
from lab.foundation.progress import Progress
from lab.supply.cache import Cache
from lab.supply.software import Software
from lab.supply.stock import Contents, kept
from lab.topology.models import Supply


def settle_supply(wanted: Supply, version: str, cache: Cache, progress: Progress) -> Supply:
    """The supply to use for Kubernetes `version`; for `auto` the choice and its reason are said.

    An imported bundle comes first, because somebody brought it on purpose; without one, software is built.
    """
    if wanted is not Supply.AUTO:
        return wanted
    if kept(cache, Supply.BUNDLE, version):
        progress.note(f"supply: bundle (one with Kubernetes {version} was imported)")
        return Supply.BUNDLE
    progress.note("supply: packages (no bundle was imported)")
    return Supply.PACKAGES


def bundled(version: str, cache: Cache) -> Software:
    """The software of the bundle that was imported. Raises LabError when there is none, or it is damaged."""
    contents: Contents | None = kept(cache, Supply.BUNDLE, version)
    if contents is None:
        raise LabError(
            f"the cache has no bundle with Kubernetes {version}",
            details="none was imported, or a part of it was damaged and removed",
            resolution="lab supply import FILE, or use --supply packages",
        )
    return contents.software(cache)
