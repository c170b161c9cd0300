"""Software and boxes in advance, and the host's fitness."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.foundation.errors import WrongUseError
from lab.foundation.paths import cache_root
from lab.foundation.progress import Progress
from lab.host.doctor import Finding, checks
from lab.supply import user_programs
from lab.supply.box import Box, box_keys, build_base, build_box, newest_box
from lab.supply.bundle import Manifest, export_bundle, import_bundle
from lab.supply.cache import Cache, Verified
from lab.supply.catalogue import full_version
from lab.supply.choice import bring, settle
from lab.supply.on_demand import with_all_images
from lab.supply.software import Software
from lab.supply.stock import all_kept
from lab.supply.suppliers import SUPPLIERS, Supplier
from lab.supply.user_programs import Added
from lab.topology.findings import did_you_mean
from lab.topology.models import Runtime, Supply

DEFAULT_VERSION = "v1.24.10"


@dataclass(frozen=True)
class SuppliedBox:
    """A box and the software in it, with the supply that brought them."""

    supply: Supply
    software: Software
    box: Box


@dataclass(frozen=True)
class CachedRow:
    """One content of the cache."""

    kind: str
    record: str
    name: str
    size: int
    """Bytes."""
    digest: str

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def supplied_box(version: str, runtime: Runtime, wanted: Supply, progress: Progress) -> SuppliedBox:
    """The box with all software of that Kubernetes version, built as far as the cache lacks it.

    Raises WrongUseError for an unknown version, LabError when something cannot be fetched or built.
    """
    version, cache = full_version(version), Cache()
    choice = settle(wanted, version, cache, progress)
    if choice.supplier.imported:
        supply, software = bring(choice, version, cache, progress)
    else:
        # The Debian base of the box does not depend on the software, so both are made side by side.
        early = _settled_early(version, runtime, choice.supplier, cache)
        with ThreadPoolExecutor(max_workers=1) as pool:
            # When this fails, building the box tries again and says why.
            pool.submit(build_base, cache.root, progress, early)
            # The long one in this thread: only here does an interrupt stop it.
            supply, software = bring(choice, version, cache, progress)
    box = build_box(software, runtime, cache.root, progress)
    if wanted is Supply.AUTO:
        progress.note(f"from {supply.value}: Kubernetes {version}, runtime {box.runtime.value}")
    return SuppliedBox(supply, software, box)


def _settled_early(version: str, runtime: Runtime, supplier: Supplier, cache: Cache) -> Runtime:
    """What `auto` will mean, guessed before anything is brought."""
    if runtime is not Runtime.AUTO:
        return runtime
    has_it = supplier.will_bring(Runtime.CRI_DOCKERD.value, version, cache)
    return Runtime.CRI_DOCKERD if has_it else Runtime.CONTAINERD


def fetch_software(version: str, supply: str | None, progress: Progress) -> Software:
    """All software of that Kubernetes version, in the cache, images on demand with it.

    Raises WrongUseError for an unknown supply or version.
    """
    version, cache = full_version(version), Cache()
    choice = settle(supply_named(supply), version, cache, progress)
    settled, software = bring(choice, version, cache, progress)
    return with_all_images(software, settled, cache, progress)


def build_the_box(version: str, runtime: str, supply: str | None, progress: Progress) -> Box:
    """The box for a runtime by its name, in the cache. Raises WrongUseError for unknown names."""
    return supplied_box(version, runtime_named(runtime), supply_named(supply), progress).box


def export_software(
    version: str, runtime: str, supply: str | None, target: Path, progress: Progress
) -> Manifest:
    """Write a bundle with the software and the box, both made first where the cache lacks them."""
    cache = Cache()
    made = supplied_box(version, runtime_named(runtime), supply_named(supply), progress)
    software = with_all_images(made.software, made.supply, cache, progress)
    return export_bundle(software, made.box, target.absolute(), cache, progress)


def import_software(file: Path, progress: Progress) -> Manifest:
    """Take a bundle into the cache, and say what it cannot spare this host."""
    cache = Cache()
    manifest = import_bundle(file, cache, progress)
    software = manifest.software.software(cache)
    if manifest.box.digest not in box_keys(software):
        progress.note(
            "its box was made by another version of lab: a new one is built, from Debian's packages"
        )
    return manifest


def supply_named(name: str | None) -> Supply:
    """The supply of that name; None is `auto`. Raises WrongUseError that lists them."""
    if name is None:
        return Supply.AUTO
    if name not in set(Supply):
        raise WrongUseError(
            f"there is no supply {name}{did_you_mean(name, Supply)}",
            resolution=f"use one of: {', '.join(Supply)}",
        )
    return Supply(name)


def runtime_named(name: str) -> Runtime:
    """The runtime of that name. Raises WrongUseError that lists them."""
    if name not in set(Runtime):
        raise WrongUseError(
            f"there is no runtime {name}{did_you_mean(name, Runtime)}",
            resolution=f"use one of: {', '.join(Runtime)}",
        )
    return Runtime(name)


def cached_software() -> Sequence[CachedRow]:
    """Everything in the cache: what was made here, by record and name, then what was imported."""
    cache = Cache()
    made = [
        CachedRow(record.kind, record.name, name, cache.size(digest), digest)
        for record in cache.records()
        for name, digest in sorted(record.outputs.items())
    ]
    imported = [
        CachedRow(
            supplier.name.value, f"Kubernetes {contents.kubernetes_version}", name, cache.size(digest), digest
        )
        for supplier in SUPPLIERS
        if supplier.imported
        for contents in all_kept(cache, supplier.name)
        for name, digest in sorted(contents.named.items())
    ]
    return [*made, *imported]


def add_binary(name: str, file: Path, progress: Progress) -> Added:
    """Take a program that the user brings into the cache."""
    return user_programs.add(name, file, Cache(), progress)


def verify_cache(progress: Progress) -> Verified:
    """Hash all contents of the cache anew and remove the damaged ones."""
    with progress.step("verify the cache"):
        return Cache().verify()


def host_findings() -> Sequence[Finding]:
    """What the host has and lacks; KVM is tried with the newest box's kernel where one was built."""
    box = newest_box(cache_root())
    return checks(box.kernel if box else None)
