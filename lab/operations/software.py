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
from lab.supply import packages, user_programs
from lab.supply.box import Box, build_base, build_box, newest_box
from lab.supply.cache import Cache, Verified
from lab.supply.catalogue import load_entry
from lab.supply.software import Software
from lab.supply.user_programs import Added
from lab.topology.models import Runtime

DEFAULT_VERSION = "v1.24.10"


@dataclass(frozen=True)
class SuppliedBox:
    """A box and the software in it."""

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


def supplied_box(version: str, runtime: Runtime, progress: Progress) -> SuppliedBox:
    """The box with all software of that Kubernetes version, built as far as the cache lacks it.

    The Debian base of the box does not depend on the software, so both are made side by side.
    Raises WrongUseError for an unknown version, LabError when something cannot be fetched or built.
    """
    cache = Cache()
    with ThreadPoolExecutor(max_workers=1) as pool:
        base = pool.submit(build_base, cache.root, progress, _settled_early(version, runtime, cache))
        # The long one in this thread: only here does an interrupt stop it.
        software = packages.fetch(version, cache, progress)
        base.result()
    return SuppliedBox(software, build_box(software, runtime, cache.root, progress))


def _settled_early(version: str, runtime: Runtime, cache: Cache) -> Runtime:
    """What `auto` will mean, known from what users brought before anything is built."""
    if runtime is not Runtime.AUTO:
        return runtime
    brought = {
        record.name for record in user_programs.user_programs(cache, load_entry(version).user_programs)
    }
    return Runtime.CRI_DOCKERD if Runtime.CRI_DOCKERD.value in brought else Runtime.CONTAINERD


def fetch_software(version: str, progress: Progress) -> Software:
    """All software of that Kubernetes version, in the cache."""
    return packages.fetch(version, Cache(), progress)


def build_the_box(version: str, runtime: str, progress: Progress) -> Box:
    """The box for a runtime by its name, in the cache. Raises WrongUseError for an unknown runtime."""
    if runtime not in set(Runtime):
        raise WrongUseError(f"there is no runtime {runtime}", resolution=f"use one of: {', '.join(Runtime)}")
    return supplied_box(version, Runtime(runtime), progress).box


def cached_software() -> Sequence[CachedRow]:
    """Everything in the cache, by record and name."""
    cache = Cache()
    return [
        CachedRow(record.kind, record.name, name, cache.size(digest), digest)
        for record in cache.records()
        for name, digest in sorted(record.outputs.items())
    ]


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
