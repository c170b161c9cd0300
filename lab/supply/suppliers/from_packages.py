"""The supply `packages`: software that is built on this host from Go modules and Debian packages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lab.foundation.progress import Progress
from lab.supply import packages
from lab.supply.cache import Cache
from lab.supply.catalogue import Entry, Parts, load_entry
from lab.supply.go_download import toolchain_for
from lab.supply.go_toolchain import GoMissingError, host_toolchains
from lab.supply.probe import Wanted, modules_wanted
from lab.supply.software import Image, Software
from lab.supply.user_programs import user_programs
from lab.topology.models import Supply


@dataclass(frozen=True)
class FromPackages:
    """Builds what the cache lacks; programs that users brought come with it."""

    name = Supply.PACKAGES
    imported = False

    def kept(self, version: str, cache: Cache) -> Software | None:
        return packages.made(version, cache)

    def lacking(self, names: Iterable[str], version: str, cache: Cache) -> Mapping[str, str]:
        """Those whose programs this host cannot build and that users have not brought."""
        entry = load_entry(version)
        return {name: why for name in names if (why := _why_not_made(entry, name, cache))}

    def bring(self, version: str, cache: Cache, progress: Progress) -> Software:
        """Raises LabError when something cannot be downloaded or built, or the disk is full."""
        return packages.fetch(version, cache, progress)

    def on_demand(
        self, names: frozenset[str], version: str, cache: Cache, progress: Progress
    ) -> tuple[Image, ...]:
        """Raises LabError as `bring` does."""
        return packages.fetch(version, cache, progress, only=Parts(frozenset(), names)).images

    def will_bring(self, program: str, version: str, cache: Cache) -> bool:
        entry = load_entry(version)
        brought = {record.name for record in user_programs(cache, entry.user_programs)}
        return program in entry.parts.programs | brought

    def wanted(
        self, entry: Entry, on_demand: frozenset[str], cache: Cache, progress: Progress
    ) -> tuple[Wanted, ...]:
        return modules_wanted(entry, on_demand, cache)


def _why_not_made(entry: Entry, name: str, cache: Cache) -> str:
    """Why the image cannot be made on this host; empty when it can."""
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
