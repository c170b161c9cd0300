"""Choosing the supply: what `auto` means at this moment on this host; then the software comes from it."""

from __future__ import annotations

from dataclasses import dataclass

from lab.foundation.errors import LabError
from lab.foundation.progress import Progress
from lab.supply import mirror
from lab.supply.cache import Cache
from lab.supply.catalogue import load_entry
from lab.supply.mirror import Mirrors
from lab.supply.software import Software
from lab.supply.suppliers import Supplier, supplier_of
from lab.supply.suppliers.from_mirrors import FromMirrors
from lab.topology.models import Supply

IN_THE_CACHE = (Supply.BUNDLE, Supply.MIRROR, Supply.PACKAGES)
"""The order in which `auto` takes what the cache has: a bundle first, because somebody brought it on purpose,
then what mirrors gave, then what was built here."""

IN_REACH = (Supply.MIRROR, Supply.PACKAGES)
"""What `auto` tries when the cache has nothing complete: the second where the first is silent or fails."""


@dataclass(frozen=True)
class Choice:
    """A settled supply."""

    supplier: Supplier
    fall_back: Supplier | None = None
    """Taken when the other one fails."""

    @property
    def supply(self) -> Supply:
        return self.supplier.name


def settle(wanted: Supply, version: str, cache: Cache, progress: Progress) -> Choice:
    """The supply to use for Kubernetes `version`; for `auto` the choice and its reason are said.

    What is in the cache comes first. Then mirrors that answer within seconds, then `packages`.
    Raises WrongUseError, for `auto`, when the catalogue does not have the version or the user's list of
    mirrors is wrong.
    """
    if wanted is not Supply.AUTO:
        return Choice(supplier_of(wanted))
    entry = load_entry(version)
    for supplier in map(supplier_of, IN_THE_CACHE):
        if supplier.kept(version, cache):
            why = "which was imported" if supplier.imported else "whose software is in the cache"
            progress.note(f"supply: {supplier.name.value}, {why}")
            return Choice(supplier)
    names = entry.downloads.names
    mirrors, packages = Mirrors(mirror.load_mirrors(), progress), supplier_of(Supply.PACKAGES)
    with progress.step("asking mirrors whether they answer"):
        mirrors.probe(names)
    if names and mirrors.can_serve(names):
        progress.note("supply: mirror")
        return Choice(FromMirrors(mirrors), fall_back=packages)
    progress.note("supply: packages, because no mirror answers for all that is needed")
    return Choice(packages)


def bring(choice: Choice, version: str, cache: Cache, progress: Progress) -> tuple[Supply, Software]:
    """The software, and the supply that brought it in the end.

    Raises WrongUseError when the catalogue does not have the version, LabError when something is not to be
    had from the supply, nor from the one to fall back on.
    """
    other = choice.fall_back
    try:
        return choice.supply, choice.supplier.bring(version, cache, progress)
    except LabError as error:
        if other is None:
            raise
        progress.note(f"supply: {other.name.value} instead of {choice.supply.value}: {error.brief}")
    return other.name, other.bring(version, cache, progress)


def may_bring(supply: Supply) -> tuple[Supplier, ...]:
    """Those that may bring what the cache lacks, in the order in which they are tried."""
    return tuple(map(supplier_of, IN_REACH if supply is Supply.AUTO else (supply,)))
