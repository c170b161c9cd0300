"""Running the ordinary Go client on what lies in the cache.

Downloads, checksums and the results of the compiler lie in the cache's folder `go`, so that work that was
ended goes on where it stopped. Proxy and checksum database are those of the user's own settings (GOPROXY,
GOSUMDB).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.foundation.process import Completed, run
from lab.supply.cache import Cache, explain_full_disk
from lab.supply.go_toolchain import GoToolchain

UNREACHABLE = (
    "dial tcp",
    "i/o timeout",
    "TLS handshake",
    "no such host",
    "connection refused",
    "connection reset",
)


def module_cache(cache: Cache) -> Path:
    """Where the Go client unpacks modules: each in a folder named MODULE@VERSION."""
    return cache.root / "go" / "mod"


@dataclass(frozen=True)
class GoClient:
    """One toolchain's program `go`, run in a module folder whose go.mod and go.sum it never writes."""

    toolchain: GoToolchain
    folder: Path
    cache: Cache
    stop: threading.Event
    settings: Mapping[str, str] = field(default_factory=dict)
    """Further variables of the environment."""

    def run(self, words: Sequence[str], on_line: Callable[[str], None] | None = None) -> Completed:
        """Run `go` with these words to its end.

        Raises LabError when the cache's disk is full, StoppedError for `stop`, else ProcessFailedError.
        """
        go_root = self.cache.root / "go"
        self.cache.temporary.mkdir(parents=True, exist_ok=True)
        environment = {
            "GOROOT": str(self.toolchain.root),
            "GOPATH": str(go_root),
            "GOMODCACHE": str(module_cache(self.cache)),
            "GOCACHE": str(go_root / "build"),
            "GOTMPDIR": str(self.cache.temporary),
            "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
            "GO111MODULE": "on",
            **self.settings,
        }
        command = [str(self.toolchain.program), *words]
        with explain_full_disk(self.cache.root):
            return run(command, cwd=self.folder, env=environment, on_line=on_line, stop=self.stop)
