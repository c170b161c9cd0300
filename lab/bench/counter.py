"""The instructions that an emulated guest executes, counted by a plugin of QEMU's that is compiled here."""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.foundation.errors import LabError
from lab.foundation.files import make_folder
from lab.foundation.process import ProgramMissingError, run

SOURCE = Path(__file__).with_name("instructions.c")
COMPILERS = ("cc", "gcc", "clang")
COMPILE_LIMIT = 120.0
EMULATOR = "qemu-system-x86_64"
_VERSION = re.compile(r"version (\d+\.[\d.]+)")
FIRST_WITH_SECOND_INTERFACE = 9
"""QEMU's major version: https://wiki.qemu.org/ChangeLog/9.0, TCG plugins."""
_PAIR = struct.Struct("=QQ")


@dataclass(frozen=True)
class Instructions:
    """Executed by a guest, or by several."""

    kernel: int
    programs: int

    @property
    def all(self) -> int:
        return self.kernel + self.programs

    def __add__(self, other: Instructions) -> Instructions:
        return Instructions(self.kernel + other.kernel, self.programs + other.programs)

    def __sub__(self, other: Instructions) -> Instructions:
        return Instructions(self.kernel - other.kernel, self.programs - other.programs)


NONE = Instructions(0, 0)


def build_plugin(folder: Path) -> Path:
    """The plugin for this host's QEMU, compiled into the folder unless it is there.

    Raises LabError without a C compiler, or when it does not compile.
    """
    major = int(emulator_version().partition(".")[0])
    interface = 2 if major >= FIRST_WITH_SECOND_INTERFACE else 1
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    program = folder / f"instructions-{interface}-{digest}.so"
    if program.exists():
        return program
    make_folder(folder)
    unfinished = program.with_suffix(".unfinished")
    options = ("-O2", "-shared", "-fPIC", f"-DINTERFACE={interface}", "-o", str(unfinished), str(SOURCE))
    for compiler in COMPILERS:
        try:
            run([compiler, *options], timeout=COMPILE_LIMIT)
        except ProgramMissingError:
            continue
        unfinished.rename(program)
        return program
    raise LabError(
        "there is no C compiler on this host",
        details="without KVM, lab bench counts the instructions of the guests by a plugin that it compiles",
        resolution="apt-get install gcc libc6-dev, then run the same command again",
    )


def read_counts(files: Iterable[Path]) -> Instructions:
    """What the guests with these files have executed since they were started.

    Raises LabError when a file is not there: the emulator did not load the plugin.
    """
    counted = NONE
    for file in files:
        try:
            content = file.read_bytes()
        except OSError as error:
            raise LabError(f"no instructions were counted in {file}", details=str(error)) from error
        for kernel, programs in _PAIR.iter_unpack(content):
            counted += Instructions(kernel, programs)
    return counted


def emulator_version() -> str:
    """QEMU's, such as 7.2.22. Raises LabError when it does not say it."""
    said = run([EMULATOR, "--version"]).stdout
    found = _VERSION.search(said)
    if found is None:
        raise LabError(f"{EMULATOR} does not say its version", details=said)
    return found[1]
