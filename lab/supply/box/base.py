"""The Debian base of a box: all packages, no Kubernetes software. Made once, kept as a tar file."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock

from lab.foundation.process import ProcessFailedError
from lab.foundation.progress import Progress, StepContext
from lab.supply.box.enclosed import run_enclosed
from lab.supply.box.inputs import LEFT_OUT, SUITE, base_key, packages
from lab.supply.box.model import boxes_root
from lab.supply.cache import explain_full_disk
from lab.supply.debian_archive import archive_words, packages_missing
from lab.topology.models import Runtime

LIMIT_SECONDS = 1800.0
"""Enough for a slow link: about 180 MB are fetched."""

STAGES = (
    ("running apt-get update", "package lists"),
    ("downloading packages", "fetching packages"),
    ("extracting archives", "unpacking the essential packages"),
    ("installing essential", "installing the essential packages"),
    ("installing remaining", "installing the remaining packages"),
    ("cleaning package lists", "cleaning up"),
    ("creating tarball", "writing the archive"),
)
"""What mmdebstrap says when it begins a stage, and what it means."""


def build_base(cache_root: Path, progress: Progress, runtime: Runtime = Runtime.CONTAINERD) -> Path:
    """The tar file of the Debian base for `runtime`; made with mmdebstrap when it is not there yet.

    The software decides what `auto` means; until it is known the base is made for containerd.
    Raises LabError when packages cannot be fetched or the disk is full. A killed run leaves a partial file,
    which the next one removes.
    """
    runtime = Runtime.CONTAINERD if runtime is Runtime.AUTO else runtime
    folder = boxes_root(cache_root) / "base"
    archive = folder / f"{base_key(runtime)[:16]}.tar"
    if archive.exists():
        return archive
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if archive.exists():
            return archive
        for leftover in folder.glob("*.partial.tar"):
            leftover.unlink()
        with progress.step(f"Debian {SUITE} base for {runtime.value} nodes") as step:
            partial = archive.with_suffix(".partial.tar")
            log = archive.with_suffix(".log")
            log.unlink(missing_ok=True)
            try:
                with explain_full_disk(cache_root):
                    run_enclosed(
                        _mmdebstrap(partial, runtime),
                        network=True,
                        log=log,
                        timeout=LIMIT_SECONDS,
                        on_line=lambda line: _say(line, step),
                    )
            except ProcessFailedError as failed:
                raise packages_missing(f"{runtime.value} nodes", failed) from failed
            partial.replace(archive)
    return archive


def _mmdebstrap(target: Path, runtime: Runtime) -> tuple[str, ...]:
    return (
        # The initrd is made later and by other means; the kernel package must not make one.
        *("env", "INITRD=No"),
        *("mmdebstrap", "--variant=minbase", "--mode=root", "--format=tar"),
        *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT),
        "--dpkgopt=force-unsafe-io",
        f"--include={','.join(packages(runtime))}",
        *(SUITE, str(target), *archive_words(SUITE)),
    )


def _say(line: str, step: StepContext) -> None:
    for number, (said, meaning) in enumerate(STAGES):
        if said in line:
            step.doing(meaning)
            step.advance(number, len(STAGES))
