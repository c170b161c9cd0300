"""Building a box: Debian base, Kubernetes software, images, disk."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from lab.foundation.errors import LabError
from lab.foundation.files import lay_over, make_folder
from lab.foundation.process import run
from lab.foundation.progress import Progress, StepContext
from lab.supply.box.base import build_base
from lab.supply.box.enclosed import run_enclosed, run_in_root
from lab.supply.box.inputs import RECIPE, VIRTUAL_SIZE_GIB, box_key, settle_runtime
from lab.supply.box.kernel_modules import remove_signatures
from lab.supply.box.model import KERNEL_ARGUMENTS, Box, box_folder, boxes_root, find_box, write_record
from lab.supply.box.vagrant import write_vagrant_files
from lab.supply.software import Image, Software
from lab.topology.models import Runtime

BUILDING = "building"
STAGE_LIMIT_SECONDS = 1800.0
IMPORTERS = {Runtime.CONTAINERD: "import-containerd.sh", Runtime.CRI_DOCKERD: "import-docker.sh"}
PAUSE_IMAGE_MARK = "@PAUSE_IMAGE@"
PAUSE_IMAGE = re.compile(r"/pause:\d+(\.\d+)*$")
PAUSE_IMAGE_FILES = ("etc/containerd/config.toml", "etc/systemd/system/cri-docker.service")


@dataclass(frozen=True)
class _Workplace:
    """The folder in which one box is put together; it becomes the box's folder when all is done."""

    folder: Path

    @property
    def scratch(self) -> Path:
        """What nobody needs when the box is whole."""
        return self.folder / "scratch"

    @property
    def root(self) -> Path:
        return self.scratch / "root"

    @property
    def box(self) -> Path:
        return self.folder / "box"

    @property
    def log(self) -> Path:
        return self.box / "build.log"


def build_box(software: Software, runtime: Runtime, cache_root: Path, progress: Progress) -> Box:
    """The box with this software for this container runtime; built when it is not in the cache yet.

    `runtime` may be `auto`. Takes about 1 GiB of disk beside the finished box while it works. May be killed
    at any time: the box appears at once and whole, and the next run removes what an earlier one left.
    Raises LabError when this is not root, packages cannot be fetched or an image cannot be imported.
    """
    runtime = settle_runtime(runtime, software)
    digest = box_key(software, runtime)
    if (found := find_box(cache_root, digest)) is not None:
        return found
    base = build_base(cache_root, progress, runtime)
    root = boxes_root(cache_root)
    with FileLock(root / ".lock"):
        if (found := find_box(cache_root, digest)) is not None:
            return found
        shutil.rmtree(root / BUILDING, ignore_errors=True)
        place = _Workplace(root / BUILDING)
        place.box.mkdir(parents=True)
        with progress.step("box: Debian base and Kubernetes programs"):
            _lay_out(place, base, software, runtime)
        with progress.step(f"box: {len(software.images)} images into {runtime.value}") as step:
            _import_images(place, software.images, runtime, step)
        with progress.step("box: disk image") as step:
            box = _finish(place, software, runtime, digest, step)
        target = box_folder(cache_root, digest)
        shutil.rmtree(target, ignore_errors=True)
        # Before the box appears: nobody looks for leftovers of a build that has come to its end.
        shutil.rmtree(place.scratch, ignore_errors=True)
        place.box.replace(target)
        shutil.rmtree(place.folder, ignore_errors=True)
    return find_box(cache_root, digest) or box


def _lay_out(place: _Workplace, base: Path, software: Software, runtime: Runtime) -> None:
    make_folder(place.root)
    run_enclosed(
        ("tar", "--extract", "--xattrs", "--numeric-owner", "--file", base, "--directory", place.root),
        network=False,
        log=place.log,
        timeout=STAGE_LIMIT_SECONDS,
    )
    for layer in ("root", runtime.value):
        lay_over(RECIPE / layer, place.root)
    for name in PAUSE_IMAGE_FILES:
        _name_pause_image(place.root / name, software)
    _install(software.binaries, place.root / "usr/bin")
    _install(software.cni_plugins, place.root / "opt/cni/bin")
    make_folder(place.root / "etc/cni/net.d")
    remove_signatures(place.root)
    run_in_root(place.root, "configure.sh", log=place.log, timeout=STAGE_LIMIT_SECONDS)


def _install(programs: Mapping[str, Path], folder: Path) -> None:
    make_folder(folder)
    for name, program in programs.items():
        shutil.copyfile(program, folder / name)
        (folder / name).chmod(0o755)


def _name_pause_image(file: Path, software: Software) -> None:
    if not file.exists():
        return
    references = [image.reference for image in software.images if PAUSE_IMAGE.search(image.reference)]
    if not references:
        raise LabError(
            "the software for the box has no pause image",
            details="every pod's first container is made from it",
            resolution="fetch the software again: lab supply fetch",
        )
    file.write_text(
        file.read_text(encoding="utf-8").replace(PAUSE_IMAGE_MARK, max(references, key=_version)),
        encoding="utf-8",
    )


def _version(reference: str) -> tuple[int, ...]:
    return tuple(int(part) for part in reference.rpartition(":")[2].split("."))


def _import_images(place: _Workplace, images: tuple[Image, ...], runtime: Runtime, step: StepContext) -> None:
    def say(line: str) -> None:
        word, _, number = line.partition(" ")
        if word == "image" and number.isdigit():
            step.doing(images[int(number)].reference)
            step.advance(int(number), len(images))

    done = run_in_root(
        place.root,
        IMPORTERS[runtime],
        log=place.log,
        timeout=STAGE_LIMIT_SECONDS,
        archives=[image.archive for image in images],
        on_line=say,
    )
    _, _, listed = done.stdout.partition("stored\n")
    missing = sorted({image.reference for image in images} - set(listed.split()))
    if missing:
        raise LabError(
            f"{len(missing)} images are not in the box after the import",
            details="\n".join(missing),
            resolution="the archives in the cache carry other names; fetch them again: lab supply fetch",
        )


def _finish(place: _Workplace, software: Software, runtime: Runtime, digest: str, step: StepContext) -> Box:
    step.doing("kernel and initrd")
    run_in_root(place.root, "initrd.sh", log=place.log, timeout=STAGE_LIMIT_SECONDS)
    box = Box(
        name=f"lab-{software.kubernetes_version}-{runtime.value}",
        version=f"1.{int(digest[:12], 16)}",
        folder=place.box,
        kernel_arguments=KERNEL_ARGUMENTS,
        virtual_size_gib=VIRTUAL_SIZE_GIB,
        runtime=runtime,
        kubernetes_version=software.kubernetes_version,
        digest=digest,
        packages=_package_versions(place.root),
    )
    for name in (box.kernel, box.initrd):
        shutil.move(place.root / "boot" / name.name, name)
    step.doing("file system")
    run_enclosed(
        (RECIPE / "disk.sh", place.root, box.image, str(VIRTUAL_SIZE_GIB)),
        network=False,
        log=place.log,
        timeout=STAGE_LIMIT_SECONDS,
    )
    write_vagrant_files(box)
    write_record(box, place.box)
    return box


def _package_versions(root: Path) -> dict[str, str]:
    form = "--showformat=${Package} ${Version}\n"
    listed = run(("dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show", form))
    return dict(sorted(line.split(" ", 1) for line in listed.stdout.splitlines()))
