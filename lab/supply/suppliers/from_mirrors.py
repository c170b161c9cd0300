"""The supply `mirror`: software that its makers publish, from mirrors and, last, from upstream."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lab.foundation.progress import Progress
from lab.supply import mirror, stock
from lab.supply.cache import Cache
from lab.supply.catalogue import Entry, load_entry
from lab.supply.mirror import Mirrors
from lab.supply.probe import Wanted, downloads_wanted
from lab.supply.software import Image, Software
from lab.topology.models import Supply


@dataclass(frozen=True)
class FromMirrors:
    """Asks the mirrors of the user's list, then those of the project's.

    Methods that ask them raise WrongUseError when the user's list is wrong.
    """

    mirrors: Mirrors | None = None
    """Those that answered, where they were asked already."""

    name = Supply.MIRROR
    imported = False

    def kept(self, version: str, cache: Cache) -> Software | None:
        """What an earlier run with the same wishes downloaded."""
        contents = stock.kept(cache, self.name, version)
        if contents is None or contents.made_of != mirror.asked_for(load_entry(version)):
            return None
        return contents.software(cache)

    def lacking(self, names: Iterable[str], version: str, cache: Cache) -> Mapping[str, str]:
        downloads = load_entry(version).downloads
        mirrored = {image.name for image in (*downloads.images, *downloads.images_on_demand)}
        return {
            name: f"the catalogue has no mirrored image {name} for Kubernetes {version}"
            for name in names
            if name not in mirrored
        }

    def bring(self, version: str, cache: Cache, progress: Progress) -> Software:
        """What is kept, else what mirrors give. Raises LabError when something is not to be had."""
        return self.kept(version, cache) or mirror.fetch(version, cache, self._asking(progress), progress)

    def on_demand(
        self, names: frozenset[str], version: str, cache: Cache, progress: Progress
    ) -> tuple[Image, ...]:
        """Raises LabError when neither mirrors nor `packages` have one that its mode cannot do without."""
        return mirror.fetch_images(version, names, cache, self._asking(progress), progress)

    def will_bring(self, program: str, version: str, cache: Cache) -> bool:
        """As the last time, whatever was asked for then; where nothing was downloaded yet, yes."""
        earlier = stock.kept(cache, self.name, version)
        return earlier is None or program in earlier.binaries

    def wanted(
        self, entry: Entry, on_demand: frozenset[str], cache: Cache, progress: Progress
    ) -> tuple[Wanted, ...]:
        return downloads_wanted(entry, on_demand, self._asking(progress))

    def _asking(self, progress: Progress) -> Mirrors:
        return self.mirrors or Mirrors(mirror.load_mirrors(), progress)
