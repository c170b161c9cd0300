"""Images on demand: those that the box does without, for the modes that need them."""

from __future__ import annotations

from dataclasses import replace

from lab.foundation.errors import LabError
from lab.foundation.progress import Progress
from lab.supply import mirror, packages
from lab.supply.cache import Cache
from lab.supply.catalogue import Parts, load_entry
from lab.supply.lacking import lacking_images
from lab.supply.mirror import Mirrors
from lab.supply.software import Image, Software
from lab.supply.stock import kept
from lab.topology.models import Supply


def names_on_demand(version: str) -> frozenset[str]:
    """Names of the images that the catalogue has on demand for Kubernetes `version`.

    Raises WrongUseError for a version that the catalogue does not have.
    """
    return frozenset(image.name for image in load_entry(version).images_on_demand)


def images_on_demand(
    names: frozenset[str], version: str, supply: Supply, cache: Cache, progress: Progress
) -> tuple[Image, ...]:
    """These images from the supply, which is settled; what is in the cache already is only looked up.

    Raises LabError when one of them is not to be had.
    """
    if not names:
        return ()
    match supply:
        case Supply.BUNDLE:
            contents = kept(cache, Supply.BUNDLE, version)
            found = contents.software(cache).images_on_demand if contents else ()
        case Supply.MIRROR:
            mirrors = Mirrors(mirror.load_mirrors(), progress)
            found = mirror.fetch_images(version, names, cache, mirrors, progress)
        case _:
            only = Parts(frozenset(), names)
            found = packages.fetch(version, cache, progress, only=only).images
    wanted = tuple(image for image in found if image.name in names)
    if missing := sorted(names - {image.name for image in wanted}):
        raise LabError(
            f"the supply {supply.value} does not have the images {', '.join(missing)}",
            details="the box holds only what most modes need; these are brought for the mode that needs them",
            resolution="use another --supply, or another mode",
        )
    return wanted


def with_all_images(software: Software, supply: Supply, cache: Cache, progress: Progress) -> Software:
    """The software with all images on demand that the supply, which is settled, has; what it lacks is told.

    Raises LabError when one of the others cannot be made.
    """
    if supply is Supply.BUNDLE:
        return software
    version = software.kubernetes_version
    lacking = lacking_images(version, names_on_demand(version), supply, cache)
    for why in lacking.values():
        progress.note(f"left out: {why}")
    images = images_on_demand(names_on_demand(version) - lacking.keys(), version, supply, cache, progress)
    return replace(software, images_on_demand=images)
