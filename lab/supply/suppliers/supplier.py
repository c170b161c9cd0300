"""What every supply can do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from lab.foundation.progress import Progress
from lab.supply.cache import Cache
from lab.supply.catalogue import Entry
from lab.supply.probe import Wanted
from lab.supply.software import Image, Software
from lab.topology.models import Supply


class Supplier(Protocol):
    """Brings the software of one supply into the cache.

    `version` is a version of Kubernetes, such as v1.24.10. A method that looks it up in the catalogue raises
    WrongUseError when it is not there.
    """

    @property
    def name(self) -> Supply:
        """The name of the supply in topologies; never `auto`."""
        ...

    @property
    def imported(self) -> bool:
        """Whether another machine exported the software.

        Its box and its images on demand are then part of it, and the cache has no records of how its parts
        were made.
        """
        ...

    def kept(self, version: str, cache: Cache) -> Software | None:
        """All software that goes into a box, where the cache has every part of it; nothing else is asked."""
        ...

    def lacking(self, names: Iterable[str], version: str, cache: Cache) -> Mapping[str, str]:
        """Those of the images that it is known to be unable to bring, in the order of `names`, and why."""
        ...

    def bring(self, version: str, cache: Cache, progress: Progress) -> Software:
        """All software that goes into a box. Raises LabError when a part that is needed is not to be had."""
        ...

    def on_demand(
        self, names: frozenset[str], version: str, cache: Cache, progress: Progress
    ) -> tuple[Image, ...]:
        """Images on demand; those of `names` that it does not have are not among them, others may be.

        Raises LabError when one of them cannot be made.
        """
        ...

    def will_bring(self, program: str, version: str, cache: Cache) -> bool:
        """Whether the program will be on nodes, as far as that is known before `bring`."""
        ...

    def wanted(
        self, entry: Entry, on_demand: frozenset[str], cache: Cache, progress: Progress
    ) -> tuple[Wanted, ...]:
        """What it needs for the box and for these images on demand, and where it would look for it.

        The Debian packages of the box are not among it. Raises WrongUseError when it has no source to ask, or
        when the user's list of its sources is wrong, LabError when a tool fails that tells the sources.
        """
        ...
