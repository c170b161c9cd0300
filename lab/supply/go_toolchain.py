"""Finding the Go toolchains of this host, and the one a module wants."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.foundation.errors import LabError
from lab.foundation.process import ProcessFailedError, ProgramMissingError, run
from lab.supply.catalogue import GoVersions

USUAL_PLACES = ("/usr/local/go/bin/go", "/usr/lib/go-*/bin/go")
"""Where the Go project's own archive and Debian's packages golang-X.Y-go put the program."""


@dataclass(frozen=True)
class GoToolchain:
    """A Go that runs on this host; `version` is what it says of itself, such as go1.19.8."""

    program: Path
    root: Path
    version: str

    @property
    def number(self) -> tuple[int, int]:
        """Major and minor version."""
        return self.release[:2]

    @property
    def release(self) -> tuple[int, int, int]:
        """Major, minor and patch version."""
        return _release(self.version.removeprefix("go"))


class GoMissingError(LabError):
    """This host has no Go toolchain that may build a module."""


def host_toolchains() -> tuple[GoToolchain, ...]:
    """Every Go toolchain on PATH or in the usual places, oldest first."""
    programs = {Path(found).resolve() for found in [shutil.which("go")] if found}
    for pattern in USUAL_PLACES:
        programs |= {path.resolve() for path in Path("/").glob(pattern.removeprefix("/"))}
    found = {toolchain.root: toolchain for toolchain in map(ask, programs) if toolchain}
    return tuple(sorted(found.values(), key=lambda toolchain: toolchain.number))


def choose(wanted: GoVersions, toolchains: Iterable[GoToolchain], title: str) -> GoToolchain:
    """The oldest toolchain within the wanted versions: the nearest to the software's own time.

    Raises GoMissingError that names what is wanted by `title` and how to get it.
    """
    known = sorted(toolchains, key=lambda toolchain: toolchain.release)
    newest = _release(wanted.newest)[:2] if wanted.newest else None
    for toolchain in known:
        if toolchain.release >= _release(wanted.oldest) and (newest is None or toolchain.number <= newest):
            return toolchain
    raise GoMissingError(
        f"{title} needs {span(wanted)} to be built",
        details=f"this host has {', '.join(toolchain.version for toolchain in known) or 'no Go at all'}",
        resolution=how_to_install(wanted),
    )


def span(wanted: GoVersions) -> str:
    """The wanted versions in words: Go 1.19, or Go 1.25 or newer."""
    return f"Go {wanted.oldest}" if wanted.newest == wanted.oldest else f"Go {wanted.oldest} or newer"


def how_to_install(wanted: GoVersions) -> str:
    """What a user does to have such a Go on this host."""
    package = wanted.debian_package
    return f"apt-get install {package}" if package else f"install {span(wanted)} and have it on PATH"


def ask(program: Path) -> GoToolchain | None:
    """What the program says of itself; None when it does not run."""
    try:
        said = run([program, "env", "GOROOT", "GOVERSION"], env={"GOROOT": "", "GOTOOLCHAIN": "local"})
    except (ProcessFailedError, ProgramMissingError, OSError):
        return None
    root, version = said.stdout.split()
    return GoToolchain(program, Path(root), version)


def _release(version: str) -> tuple[int, int, int]:
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else (0, 0, 0)
