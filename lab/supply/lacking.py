"""What the supply `packages` cannot make on this host, known before it begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lab.supply.catalogue import Entry, load_entry
from lab.supply.go_toolchain import GoMissingError, choose, host_toolchains


def lacking_images(version: str, names: Iterable[str]) -> Mapping[str, str]:
    """Those of the images that cannot be had for Kubernetes `version`, and why.

    Raises WrongUseError for a version that the catalogue does not have.
    """
    entry = load_entry(version)
    found = {name: _why_lacking(entry, name) for name in names}
    return {name: why for name, why in found.items() if why}


def _why_lacking(entry: Entry, name: str) -> str:
    """Empty when the image can be made."""
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
