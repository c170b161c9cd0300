"""Images that a supply cannot bring, known before it begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lab.supply.cache import Cache
from lab.supply.choice import may_bring
from lab.topology.models import Supply


def lacking_images(version: str, names: Iterable[str], supply: Supply, cache: Cache) -> Mapping[str, str]:
    """Those of the images that the supply cannot bring for Kubernetes `version`, and why.

    `cache` holds what users brought.
    `auto` lacks what neither `packages` nor `mirror` has; what a bundle holds is known only when it is read.
    Raises WrongUseError for a version that the catalogue does not have.
    """
    lacking: Mapping[str, str] = dict.fromkeys(names, "")
    for supplier in may_bring(supply):
        lacking = supplier.lacking(lacking, version, cache)
    return lacking
