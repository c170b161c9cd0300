"""Images that a supply cannot bring, known before it begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lab.supply.catalogue import Entry, load_entry
from lab.supply.go_toolchain import GoMissingError, choose, host_toolchains
from lab.topology.models import Supply


def lacking_images(version: str, names: Iterable[str], supply: Supply) -> Mapping[str, str]:
    """Those of the images that the supply cannot bring for Kubernetes `version`, and why.

    `auto` lacks what neither `packages` nor `mirror` has; what a bundle holds is known only when it is read.
    Raises WrongUseError for a version that the catalogue does not have.
    """
    if supply is Supply.BUNDLE:
        return {}
    entry = load_entry(version)
    mirrored = {image.name for image in entry.downloads.images if image.name is not None}
    lacking = {}
    for name in names:
        if supply is not Supply.PACKAGES and name in mirrored:
            continue
        if supply is Supply.MIRROR:
            lacking[name] = f"the catalogue has no mirrored image {name} for Kubernetes {version}"
        elif why := _why_not_made(entry, name):
            lacking[name] = why
    return lacking


def _why_not_made(entry: Entry, name: str) -> str:
    """Why `packages` cannot make the image on this host; empty when it can."""
    recipe = next((image for image in entry.images if image.name == name), None)
    if recipe is None:
        return f"the catalogue has no image {name} for Kubernetes {entry.kubernetes_version}"
    programs = set(recipe.files.values())
    for build in entry.go_builds:
        if build.missing_without_go and programs & {program.name for program in build.programs}:
            try:
                choose(build.go, host_toolchains(), f"{build.title} {build.version}")
            except GoMissingError as missing:
                return f"{missing.brief}; {missing.details}"
    return ""
