"""Finding the Go toolchains of this host, and the one a module wants."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.foundation.errors import LabError
from lab.foundation.process import ProcessFailedError, run
from lab.supply.catalogue import GoVersions

USUAL_PLACES = ("/usr/local/go/bin/go", "/usr/lib/go-*/bin/go")
"""Where the Go project's own archive and Debian's packages golang-X.Y-go put the program."""


@dataclass(frozen=True)
class GoToolchain:
    """A Go of this host; `version` is what it says of itself, such as go1.19.8."""

    program: Path
    root: Path
    version: str

    @property
    def number(self) -> tuple[int, int]:
        """Major and minor version."""
        return _number(self.version.removeprefix("go"))


class GoMissingError(LabError):
    """This host has no Go toolchain that may build a module."""


def host_toolchains() -> tuple[GoToolchain, ...]:
    """Every Go toolchain on PATH or in the usual places, oldest first."""
    programs = {Path(found).resolve() for found in [shutil.which("go")] if found}
    for pattern in USUAL_PLACES:
        programs |= {path.resolve() for path in Path("/").glob(pattern.removeprefix("/"))}
    found = {toolchain.root: toolchain for toolchain in map(_ask, programs) if toolchain}
    return tuple(sorted(found.values(), key=lambda toolchain: toolchain.number))


def choose(wanted: GoVersions, toolchains: Iterable[GoToolchain], title: str) -> GoToolchain:
    """The oldest toolchain within the wanted versions: the nearest to the software's own time.

    Raises GoMissingError that names what is wanted by `title` and how to get it.
    """
    known = sorted(toolchains, key=lambda toolchain: toolchain.number)
    newest = _number(wanted.newest) if wanted.newest else None
    for toolchain in known:
        if toolchain.number >= _number(wanted.oldest) and (newest is None or toolchain.number <= newest):
            return toolchain
    span = f"Go {wanted.oldest}" if wanted.newest == wanted.oldest else f"Go {wanted.oldest} or newer"
    package = wanted.debian_package
    raise GoMissingError(
        f"{title} needs {span} to be built",
        details=f"this host has {', '.join(toolchain.version for toolchain in known) or 'no Go at all'}",
        resolution=f"apt-get install {package}" if package else f"install {span} and have it on PATH",
    )


def _ask(program: Path) -> GoToolchain | None:
    try:
        said = run([program, "env", "GOROOT", "GOVERSION"], env={"GOROOT": "", "GOTOOLCHAIN": "local"})
    except (ProcessFailedError, OSError):
        return None
    root, version = said.stdout.split()
    return GoToolchain(program, Path(root), version)


def _number(version: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)
