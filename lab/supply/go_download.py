"""Go toolchains from the module proxy, for builds that no Go of this host may make.

The Go project publishes every toolchain as a version of the module golang.org/toolchain
(https://go.dev/doc/toolchain), which the Go client of any version downloads and checks like another module.
From Go 1.21 on, `go` itself makes it runnable when it switches to it; older ones, such as Debian's 1.19, know
nothing of that, so it is done here, as cmd/go/internal/toolchain/select.go of Go 1.25 does it.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.foundation.errors import LabError
from lab.foundation.process import ProcessFailedError
from lab.foundation.progress import StepContext
from lab.supply.architecture import architecture
from lab.supply.cache import Cache, explain_full_disk
from lab.supply.catalogue import GoBuild
from lab.supply.go_build import MODULES
from lab.supply.go_client import GoClient, module_cache
from lab.supply.go_toolchain import GoMissingError, GoToolchain, ask, choose, how_to_install, span

MODULE = "golang.org/toolchain"
PINS = MODULES / "go-toolchains"
"""The module folder whose go.sum has the checksums of the catalogue's toolchains."""


def toolchain_for(build: GoBuild, host: Sequence[GoToolchain], cache: Cache) -> GoToolchain:
    """The toolchain of the host that `choose` takes; else the catalogue's, at its place in the cache.

    Whether that one is there already is not looked at: `ToolchainDownload` brings it. Raises GoMissingError
    when the catalogue names none either, or the host has no Go at all to download it with.
    """
    try:
        return choose(build.go, host, f"{build.title} {build.version}")
    except GoMissingError:
        if build.go.toolchain is None or not host:
            raise
        root = module_cache(cache) / f"{MODULE}@{module_version(build.go.toolchain)}"
        return GoToolchain(root / "bin" / "go", root, build.go.toolchain)


def module_version(toolchain: str) -> str:
    """The version of the module that holds a toolchain such as go1.25.4 for this host's processor."""
    return f"v0.0.1-{toolchain}.linux-{architecture()}"


@dataclass(frozen=True)
class ToolchainDownload:
    """Brings the toolchain that `toolchain_for` named for a build, with a Go of the host."""

    build: GoBuild
    toolchain: GoToolchain
    host: Sequence[GoToolchain]
    cache: Cache
    stop: threading.Event
    pins: Path = PINS

    def run(self, step: StepContext) -> None:
        """Download it unless it is in the cache, and make it runnable, whatever an earlier run left undone.

        Raises GoMissingError when it is not to be had or does not run here, and LabError for a wrong checksum
        or a full disk.
        """
        version = module_version(self.toolchain.version)
        step.doing(f"{MODULE} {version}")
        newest = max(self.host, key=lambda toolchain: toolchain.number)
        try:
            GoClient(newest, self.pins, self.cache, self.stop).run(["mod", "download", f"{MODULE}@{version}"])
        except ProcessFailedError as failed:
            raise self._explain(failed) from failed
        with explain_full_disk(self.cache.root):
            _make_runnable(self.toolchain.root)
        found = ask(self.toolchain.program)
        if found is None or found.version != self.toolchain.version:
            said = f"says that it is {found.version}" if found else "does not run"
            root = self.toolchain.root
            raise self._missing(f"was downloaded, but its bin/go {said} (remove {root} if it is damaged)")

    def _explain(self, failed: ProcessFailedError) -> LabError:
        said = failed.completed.stderr
        if "SECURITY ERROR" in said:
            return LabError(
                f"{self.toolchain.version} from the Go module proxy is not what the Go project published",
                details=failed.details,
                resolution=f"name another proxy in GOPROXY, or {how_to_install(self.build.go)}",
            )
        return self._missing(f"cannot be downloaded: {said.strip() or failed.details}")

    def _missing(self, why: str) -> GoMissingError:
        build = self.build
        return GoMissingError(
            f"{build.title} {build.version} needs {span(build.go)} to be built",
            details=f"this host has {', '.join(each.version for each in self.host)}; "
            f"{self.toolchain.version} {why}",
            resolution=f"{how_to_install(build.go)}, or see that this host reaches a Go module proxy "
            f"(GOPROXY names it) that has the module {MODULE}; then run the same command again",
        )


def _make_runnable(root: Path) -> None:
    """Let what is a program be executable, and give files their names that no module may hold."""
    for path in _programs(root):
        mode = path.stat().st_mode
        if mode & 0o111 != 0o111:
            path.chmod(mode | 0o111)
    for path in root.rglob("_go.mod"):
        target = path.with_name("go.mod")
        if not target.exists() or target.stat().st_size != path.stat().st_size:
            new = path.with_name("_go.mod.new")
            shutil.copyfile(path, new)
            os.replace(new, target)


def _programs(root: Path) -> Iterator[Path]:
    yield from (path for path in (root / "pkg" / "tool").rglob("*") if path.is_file())
    yield from (root / "lib").rglob("go_?*_?*_exec")
    yield from (root / "bin").glob("*")
