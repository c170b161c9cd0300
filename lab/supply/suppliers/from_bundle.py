"""The supply `bundle`: software that was imported from a file of another machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.progress import Progress
from lab.supply import stock
from lab.supply.cache import Cache
from lab.supply.catalogue import Entry
from lab.supply.probe import Wanted
from lab.supply.software import Image, Software
from lab.topology.models import Supply


@dataclass(frozen=True)
class FromBundle:
    """Only looks things up: `import_bundle` has put them into the cache."""

    name = Supply.BUNDLE
    imported = True

    def kept(self, version: str, cache: Cache) -> Software | None:
        contents = stock.kept(cache, self.name, version)
        return contents.software(cache) if contents else None

    def lacking(self, names: Iterable[str], version: str, cache: Cache) -> Mapping[str, str]:
        """None: what a bundle holds is known only when it is read."""
        return {}

    def bring(self, version: str, cache: Cache, progress: Progress) -> Software:
        """Raises LabError when the cache has no bundle of that version."""
        software = self.kept(version, cache)
        if software is None:
            raise LabError(
                f"the cache has no bundle with Kubernetes {version}",
                details="none was imported, or a part of it was damaged and removed",
                resolution="lab supply import FILE, or use another --supply",
            )
        return software

    def on_demand(
        self, names: frozenset[str], version: str, cache: Cache, progress: Progress
    ) -> tuple[Image, ...]:
        software = self.kept(version, cache)
        return software.images_on_demand if software else ()

    def will_bring(self, program: str, version: str, cache: Cache) -> bool:
        software = self.kept(version, cache)
        return software is not None and program in software.binaries

    def wanted(
        self, entry: Entry, on_demand: frozenset[str], cache: Cache, progress: Progress
    ) -> tuple[Wanted, ...]:
        """Raises WrongUseError always."""
        raise WrongUseError(
            "the supply bundle has no source to ask", resolution="name another one with --supply"
        )
