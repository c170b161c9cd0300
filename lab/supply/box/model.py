"""What a built box is, and how it is found again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from lab.foundation.errors import LabError
from lab.foundation.files import BLOCK, write_atomically
from lab.topology.models import Runtime

KERNEL_ARGUMENTS = " ".join(
    (
        "root=/dev/vda rw",
        "net.ifnames=0",
        "console=ttyS0 quiet loglevel=3",
        # Without the next one an emulated guest reads the time from the HPET, at 4 to 8 us a read.
        "tsc=reliable clocksource=tsc",
        # qemu translates code anew for every address it runs at; with one address per program, starting a
        # program takes a fourth of the time.
        "norandmaps",
        "no_timer_check nowatchdog",
        # Work that a guest of a lab has no use for: security modules, auditing, work-arounds for real CPUs,
        # self-tests of the kernel's ciphers, zeroing memory twice, looking for a keyboard and a mouse.
        "lsm= apparmor=0 audit=0 mitigations=off",
        "cryptomgr.notests init_on_alloc=0 i8042.nokbd i8042.noaux",
        # kubelet reads the whole tree of control groups every two seconds, once for each controller there is,
        # and asks for the status of every file: two fifths of an idle kubelet (its GetAllPodsFromCgroups).
        "cgroup_disable=hugetlb,rdma,misc,pressure,io,pids",
        "random.trust_cpu=on",
        # Read by systemd as an environment variable: no system call filters for its own services.
        "SYSTEMD_SECCOMP=0",
    )
)
"""The kernel line that all nodes share; each node's name and addresses are added to it."""

RECORD = "box.json"


@dataclass(frozen=True)
class Box:
    """A base box for vagrant-libvirt, with the kernel and initrd that boot it directly.

    The disk holds one ext4 file system without a partition table and must be the node's first virtio disk.
    """

    name: str
    version: str
    """Two numbers with a dot, made from the digest: vagrant takes no hexadecimal versions."""
    folder: Path
    """An unpacked box as vagrant keeps it: metadata.json, Vagrantfile, box.img; the rest lies beside them."""
    kernel_arguments: str
    virtual_size_gib: int
    runtime: Runtime
    kubernetes_version: str
    digest: str
    """SHA-256 over everything that went into it."""
    packages: Mapping[str, str]
    """The version of every Debian package in it."""

    @property
    def image(self) -> Path:
        return self.folder / "box.img"

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def built(self) -> float:
        """Seconds since 1970."""
        return (self.folder / RECORD).stat().st_mtime

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_blocks * BLOCK for path in self.folder.iterdir())

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd.img"


def boxes_root(cache_root: Path) -> Path:
    return cache_root / "box"


def box_folder(cache_root: Path, digest: str) -> Path:
    return boxes_root(cache_root) / digest[:16]


def find_box(cache_root: Path, digest: str) -> Box | None:
    """The box with that digest, or None when it is not in the cache."""
    record = box_folder(cache_root, digest) / RECORD
    if not record.exists():
        return None
    box = _read(record)
    return box if box.digest == digest else None


def take_box(cache_root: Path, folder: Path, digest: str) -> None:
    """Move a finished box's folder, on the cache's own disk, to where boxes are found; one there stays."""
    if find_box(cache_root, digest) is not None:
        return
    boxes_root(cache_root).mkdir(parents=True, exist_ok=True)
    with FileLock(boxes_root(cache_root) / ".lock"):
        target = box_folder(cache_root, digest)
        shutil.rmtree(target, ignore_errors=True)
        folder.replace(target)


def all_boxes(cache_root: Path) -> tuple[Box, ...]:
    """Every box in the cache, the one built last first."""
    return tuple(_read(record) for record in _newest_first(cache_root))


def newest_box(cache_root: Path) -> Box | None:
    """The box that was built last, or None when the cache has none."""
    records = _newest_first(cache_root)
    return _read(records[0]) if records else None


def remove_box(cache_root: Path, box: Box) -> None:
    """Take the box out of the cache, at once, however far the removal of its files comes."""
    with FileLock(boxes_root(cache_root) / ".lock"):
        (box.folder / RECORD).unlink(missing_ok=True)
        shutil.rmtree(box.folder, ignore_errors=True)


def load_box(cache_root: Path, digest: str) -> Box:
    """The box with that digest. Raises LabError when it is not in the cache."""
    box = find_box(cache_root, digest)
    if box is None:
        raise LabError(
            f"the box {digest[:16]} is not in the cache {boxes_root(cache_root)}",
            resolution="run `lab box build`, or `lab up`, which builds it",
        )
    return box


def write_record(box: Box, folder: Path) -> None:
    """Write the box's description into `folder`, which becomes the box's own when it is renamed."""
    content = {
        "name": box.name,
        "version": box.version,
        "kernel_arguments": box.kernel_arguments,
        "virtual_size_gib": box.virtual_size_gib,
        "runtime": box.runtime.value,
        "kubernetes_version": box.kubernetes_version,
        "digest": box.digest,
        "packages": dict(box.packages),
    }
    write_atomically(folder / RECORD, json.dumps(content, indent=2) + "\n")


def _newest_first(cache_root: Path) -> list[Path]:
    """The records of all boxes, not read yet."""
    return sorted(boxes_root(cache_root).glob(f"*/{RECORD}"), key=lambda record: -record.stat().st_mtime)


def _read(record: Path) -> Box:
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        return Box(
            name=content["name"],
            version=content["version"],
            folder=record.parent,
            kernel_arguments=content["kernel_arguments"],
            virtual_size_gib=content["virtual_size_gib"],
            runtime=Runtime(content["runtime"]),
            kubernetes_version=content["kubernetes_version"],
            digest=content["digest"],
            packages=content["packages"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(
            f"{record} cannot be read as the description of a box",
            details=f"{type(error).__name__}: {error}",
            resolution=f"remove the folder {record.parent}; the box is then built again",
        ) from error
