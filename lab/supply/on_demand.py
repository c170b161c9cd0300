"""Images on demand: those that the box does without, for the modes that need them."""

from __future__ import annotations

from dataclasses import replace

from lab.foundation.errors import LabError
from lab.foundation.progress import Progress
from lab.supply.cache import Cache
from lab.supply.catalogue import load_entry
from lab.supply.lacking import lacking_images
from lab.supply.software import Image, Software
from lab.supply.suppliers import supplier_of
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
    found = supplier_of(supply).on_demand(names, version, cache, progress)
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

    Imported software is left as it is.
    Raises LabError when one of the others cannot be made.
    """
    if supplier_of(supply).imported:
        return software
    version = software.kubernetes_version
    lacking = lacking_images(version, names_on_demand(version), supply, cache)
    for why in lacking.values():
        progress.note(f"left out: {why}")
    images = images_on_demand(names_on_demand(version) - lacking.keys(), version, supply, cache, progress)
    return replace(software, images_on_demand=images)
