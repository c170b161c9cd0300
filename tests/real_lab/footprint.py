"""What a lab that is gone must not leave more of, and what its keeping in the cache must not lose.

It looks at what belongs to the tests alone, so that other work on the host does not disturb it: their child
processes, with those that lost their parents (see `adopt_orphans`), and their own folder for temporary files.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.real_lab.lab_under_test import NAME

MIB = 2**20
GIB = 2**30
MEMORY_SLACK = 200 * MIB
"""Bytes that the kernel may use more or less between two moments."""
PR_SET_CHILD_SUBREAPER = 36
"""https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html"""
END_SECONDS = 5.0
"""How long what wraps a process of the lab may take to notice its end."""
KEPT_LIMIT = float(os.environ.get("LAB_KEPT_GIB", "20")) * GIB
CACHE = Path(os.environ.get("LAB_CACHE", Path.home() / ".cache" / "lab")) / "labs"
LABS = Path(os.environ.get("LAB_HOME", Path.home() / ".local/share/lab")) / "labs"
DESCRIPTION = "kept.json"
"""It is touched whenever a kept lab is used."""
BLOCK = 512
"""Bytes, the unit of st_blocks in stat(2)."""


def adopt_orphans() -> None:
    """From now on, a process whose parents ended becomes a child of this one, however it was detached."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


@dataclass(frozen=True)
class Footprint:
    """The host while there is no lab of these tests."""

    mounts: frozenset[str]
    devices: frozenset[str]
    memory: int
    """Bytes that stay in use when processes have ended."""
    kept: Mapping[str, tuple[int, int, int]]
    """Inode, bytes and time of change (ns) of the files of one kept lab."""
    unfinished: frozenset[str]
    """What was not kept to its end."""

    @classmethod
    def now(cls, kept_lab: Path) -> Footprint:
        return cls(
            mounts=frozenset(Path("/proc/self/mounts").read_text().splitlines()),
            devices=frozenset(path.name for path in Path("/sys/class/net").iterdir()),
            memory=_memory_in_use(),
            kept={str(path): _identity(path) for path in _files(kept_lab) if path.name != DESCRIPTION},
            unfinished=frozenset(path.name for path in CACHE.glob(".?*/")),
        )

    def assert_as(self, before: Footprint) -> None:
        """Nothing of a lab is here, the kept one is as it was, and all of them are within their limit."""
        assert not children_left()
        assert not [path.name for path in LABS.iterdir() if NAME in path.name]
        assert not os.listdir(os.environ["TMPDIR"])
        assert self.mounts == before.mounts
        assert self.devices == before.devices
        assert self.memory - before.memory < MEMORY_SLACK
        assert self.kept == before.kept
        assert self.unfinished == before.unfinished
        assert kept_bytes() <= KEPT_LIMIT


def kept_bytes() -> int:
    """Bytes on disk of all kept labs; what several share counts once."""
    blocks = {(stat.st_dev, stat.st_ino): stat.st_blocks for stat in map(Path.stat, _files(CACHE))}
    return sum(blocks.values()) * BLOCK


def newest_kept() -> Path:
    """The folder of the kept lab that was used last."""
    found = CACHE.glob(f"[!.]*/{DESCRIPTION}")
    return max(found, key=lambda description: description.stat().st_mtime).parent


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file."""
    return {str(path): _sha256(path) for path in _files(folder)}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _identity(path: Path) -> tuple[int, int, int]:
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _memory_in_use() -> int:
    """Memory of the kernel, and files in memory: https://docs.kernel.org/filesystems/proc.html#meminfo."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    values = {name.rstrip(":"): int(value) * 1024 for name, value, *_ in lines}
    return sum(values[name] for name in ("SUnreclaim", "Shmem", "KernelStack", "Percpu"))


def children_left() -> list[str]:
    """The words of the child processes that do not end by themselves."""
    end = time.monotonic() + END_SECONDS
    while _has_children():
        if time.monotonic() > end:
            return list(_children())
        time.sleep(0.05)
    return []


def _has_children() -> bool:
    """Whether there are any; those that ended are reaped."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _children() -> Iterator[str]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = stat.read_text().rpartition(")")[2].split()[1]
            if int(parent) == os.getpid():
                yield (stat.parent / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
