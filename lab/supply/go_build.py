"""Building programs from Go modules with the ordinary Go client.

Each module folder pins its dependencies in go.mod and go.sum, which are never written here.
"""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.foundation.errors import LabError
from lab.foundation.files import sha256_of
from lab.foundation.process import Completed, ProcessFailedError
from lab.foundation.progress import StepContext
from lab.supply.cache import Cache, Record, key_of
from lab.supply.catalogue import GoBuild, GoFolder
from lab.supply.go_client import UNREACHABLE, GoClient
from lab.supply.go_toolchain import GoToolchain
from lab.supply.layers import Layer, write_layer

KIND = "go"
MODULES = Path(__file__).parent / "modules"

_USED = (
    "{{with .Module}}{{if .Replace}}{{.Replace.Path}} {{.Replace.Version}}"
    "{{else if .Version}}{{.Path}} {{.Version}}{{end}}{{end}}"
)
"""A template of `go list` that prints the module, as it is really used, that a package is from."""

WITHOUT_DEBUGGER_DATA = "-gcflags=all=-dwarf=false"
"""The linker strips it anyway; not making it saves a seventh of the compiler's time (measured on etcd)."""

COMPILER_GOGC = "200"
"""How much garbage the compiler may keep, in percent: a sixth less time than with 100, the same programs."""


@dataclass(frozen=True)
class GoBuilder:
    """Runs one build of the catalogue with one toolchain. Threads may run different builds at once."""

    build: GoBuild
    toolchain: GoToolchain
    cache: Cache
    stop: threading.Event
    modules: Path = MODULES
    moment: int = 0
    """Seconds since 1970: the time of every file in a layer made of the modules' folders."""

    @property
    def key(self) -> str:
        """The digest of all that decides what comes out."""
        folder = self._folder
        return key_of(
            {
                "module files": {path.name: sha256_of(path) for path in sorted(folder.iterdir())},
                "programs": [[program.name, program.package] for program in self.build.programs],
                "tags": self.build.tags,
                "linker": self._linker_words,
                "cgo": self.build.cgo,
                "toolchain": self.toolchain.version,
                **(
                    {"folders": [*map(asdict, self.build.folders), self.moment]} if self.build.folders else {}
                ),
            }
        )

    def made(self) -> Record | None:
        """The record of an earlier run of the same build, when all its programs are in the cache."""
        return self.cache.recall(KIND, self.key)

    def download(self, step: StepContext) -> tuple[str, ...]:
        """Fetch the modules that the programs need; returns one line per package, naming its module.

        Raises LabError when the module proxy cannot be reached or a checksum is wrong.
        """
        words = ["list", "-deps", f"-tags={','.join(self.build.tags)}", f"-f={_USED}"]
        listed = self._go([*words, *self._packages], on_line=lambda line: _say_download(line, step))
        return tuple(listed.stdout.splitlines())

    def compile(self, packages: tuple[str, ...], step: StepContext) -> Record:
        """Build the programs of `packages` (what `download` returned), and keep them in the cache."""
        compiled = 0

        def say(line: str) -> None:
            nonlocal compiled
            if not line.startswith(("go: ", "#")):
                compiled += 1
                step.doing(line)
                step.advance(min(compiled, len(packages)), len(packages))

        with self.cache.work_folder() as folder:
            words = ["build", "-v", "-trimpath", WITHOUT_DEBUGGER_DATA, f"-tags={','.join(self.build.tags)}"]
            words += [f"-ldflags={shlex.join(self._linker_words)}", "-o", f"{folder}/"]
            self._go([*words, *self._packages], on_line=say)
            record = Record(
                kind=KIND,
                name=self.build.name,
                version=self.build.version,
                outputs={
                    program.name: self.cache.put(folder / executable_name(program.package))
                    for program in self.build.programs
                }
                | {each.name: self.cache.put(self._layer(each, folder)) for each in self.build.folders},
                used=tuple(sorted({module for module in packages if module})),
                made_with=self.toolchain.version,
            )
        self.cache.remember(self.key, record)
        return record

    def _layer(self, wanted: GoFolder, folder: Path) -> Path:
        """A layer with a folder of a module's sources, written into `folder`."""
        root = self._go(["list", "-m", "-f={{.Dir}}", wanted.module], on_line=lambda _: None).stdout.strip()
        layer = folder / f"{wanted.name}.tar"
        write_layer(layer, Layer.of_scripts(Path(root) / wanted.path, wanted.at), self.moment)
        return layer

    @property
    def _folder(self) -> Path:
        return self.modules / self.build.module

    @property
    def _packages(self) -> list[str]:
        return [program.package for program in self.build.programs]

    @property
    def _linker_words(self) -> list[str]:
        words = ["-s", "-w", *self.build.link]
        for package, variables in self.build.variables.items():
            for variable, value in variables.items():
                words += ["-X", f"{package}.{variable}={value}"]
        return words

    def _go(self, words: list[str], on_line: Callable[[str], None]) -> Completed:
        settings = {"GOGC": COMPILER_GOGC, "CGO_ENABLED": "1" if self.build.cgo else "0"}
        client = GoClient(self.toolchain, self._folder, self.cache, self.stop, settings)
        try:
            return client.run(words, on_line)
        except ProcessFailedError as failed:
            raise self._explain(failed) from failed

    def _explain(self, failed: ProcessFailedError) -> LabError:
        unreachable = any(sign in failed.completed.stderr for sign in UNREACHABLE)
        return LabError(
            f"{self.build.title} {self.build.version} cannot be built",
            details=failed.details,
            resolution="see that this host reaches a Go module proxy (GOPROXY names it), then run the same "
            "command again: it goes on where it stopped"
            if unreachable
            else "run the same command again; if it fails the same way, the text above says what is wrong",
        )


def executable_name(package: str) -> str:
    """What `go build` calls a main package's program: the last part of its path but the major version."""
    *head, last = package.split("/")
    return head[-1] if last[:1] == "v" and last[1:].isdigit() else last


def _say_download(line: str, step: StepContext) -> None:
    if line.startswith("go: downloading "):
        step.doing(line.removeprefix("go: "))
