"""Programs that no package or module has and that users bring themselves: cri-dockerd, crictl, bird."""

from __future__ import annotations

import platform
import shutil
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.process import ProcessFailedError, run
from lab.foundation.progress import Progress
from lab.supply.cache import Cache, Record, explain_full_disk
from lab.supply.catalogue import UserProgram, load_entry, versions

KIND = "user"
LIMIT_SECONDS = 20.0

ELF_MACHINES = {"x86_64": 62, "aarch64": 183}
"""e_machine of the ELF header (EM_X86_64, EM_AARCH64 in elf.h), by what `uname -m` says."""

_HEADER = struct.Struct("<4sBB10xHH")
"""Magic, class, byte order, type and machine of a little-endian ELF header."""


@dataclass(frozen=True)
class Added:
    """A program that was taken into the cache."""

    name: str
    version: str
    digest: str


def add(name: str, file: Path, cache: Cache, progress: Progress) -> Added:
    """Take the program `file` into the cache as `name`; it replaces one that was added before.

    Raises WrongUseError when the name is unknown or the file is not a program for this machine, LabError when
    it does not run.
    """
    wanted = _known(name)
    _check_elf(file)
    with cache.locked(progress), cache.work_folder() as folder:
        copy = folder / name
        with explain_full_disk(cache.root):
            shutil.copyfile(file, copy)
        copy.chmod(0o755)
        version = _ask_version(copy, wanted)
        digest = cache.put(copy)
        cache.remember(name, Record(KIND, name, version, {name: digest}, made_with="the user"))
    return Added(name, version, digest)


def user_programs(cache: Cache, programs: Iterable[UserProgram]) -> list[Record]:
    """The records of those of `programs` that were added and are still whole."""
    return [record for program in programs if (record := cache.recall(KIND, program.name))]


def _known(name: str) -> UserProgram:
    known = {program.name: program for version in versions() for program in load_entry(version).user_programs}
    if name not in known:
        raise WrongUseError(
            f"{name} is not a program that a lab can use",
            details=f"these can be added: {', '.join(sorted(known))}",
            resolution="name one of these",
        )
    return known[name]


def _check_elf(file: Path) -> None:
    machine = platform.machine()
    with file.open("rb") as program:
        header = program.read(_HEADER.size)
    if len(header) < _HEADER.size or header[:4] != b"\x7fELF":
        raise WrongUseError(
            f"{file} is not a program",
            details="it has no ELF header; an archive must be unpacked first",
            resolution="name the program itself",
        )
    _, width, order, kind, found = _HEADER.unpack(header)
    executable, shared = 2, 3
    if (width, order) != (2, 1) or kind not in (executable, shared) or found != ELF_MACHINES.get(machine):
        raise WrongUseError(
            f"{file} is a program for another kind of machine",
            details=f"this host is {machine}; the file's ELF header says machine {found}",
            resolution=f"get the program's build for {machine}",
        )


def _ask_version(program: Path, wanted: UserProgram) -> str:
    try:
        said = run([program, *wanted.version_words], timeout=LIMIT_SECONDS)
    except (ProcessFailedError, OSError) as failed:
        raise LabError(
            f"{wanted.name} does not run on this host",
            details=str(failed),
            resolution="see that the file is complete and was built for Linux",
        ) from failed
    lines = (said.stdout.strip() or said.stderr.strip()).splitlines()
    return lines[0].strip() if lines else "unknown"
