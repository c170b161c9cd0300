"""Images that a supply cannot bring, known before it begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lab.supply.cache import Cache
from lab.supply.catalogue import Entry, load_entry
from lab.supply.go_download import toolchain_for
from lab.supply.go_toolchain import GoMissingError, host_toolchains
from lab.supply.user_programs import user_programs
from lab.topology.models import Supply


def lacking_images(version: str, names: Iterable[str], supply: Supply, cache: Cache) -> Mapping[str, str]:
    """Those of the images that the supply cannot bring for Kubernetes `version`, and why.

    `cache` holds what users brought.
    `auto` lacks what neither `packages` nor `mirror` has; what a bundle holds is known only when it is read.
    Raises WrongUseError for a version that the catalogue does not have.
    """
    if supply is Supply.BUNDLE:
        return {}
    entry = load_entry(version)
    downloads = (*entry.downloads.images, *entry.downloads.images_on_demand)
    mirrored = {image.name for image in downloads if image.name is not None}
    lacking = {}
    for name in names:
        if supply is not Supply.PACKAGES and name in mirrored:
            continue
        if supply is Supply.MIRROR:
            lacking[name] = f"the catalogue has no mirrored image {name} for Kubernetes {version}"
        elif why := _why_not_made(entry, name, cache):
            lacking[name] = why
    return lacking


def _why_not_made(entry: Entry, name: str, cache: Cache) -> str:
    """Why `packages` cannot make the image on this host; empty when it can."""
    recipes = (*entry.images, *entry.images_on_demand)
    recipe = next((image for image in recipes if image.name == name), None)
    if recipe is None:
        return f"the catalogue has no image {name} for Kubernetes {entry.kubernetes_version}"
    programs = set(recipe.files.values())
    brought = {record.name for record in user_programs(cache, entry.user_programs)}
    for program in sorted(programs & {program.name for program in entry.user_programs} - brought):
        return (
            f"the image {name} needs the program {program}, which no package registry has; bring it: "
            f"lab supply add {program} FILE (docs/supplies.md), or take its images with --supply mirror"
        )
    for build in entry.go_builds:
        if build.missing_without_go and programs & {program.name for program in build.programs}:
            try:
                toolchain_for(build, host_toolchains(), cache)
            except GoMissingError as missing:
                return f"{missing.brief}; {missing.details}"
    return ""
