"""Debian packages with all they depend on, unpacked into one tar file: the base layer of images."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from lab.foundation.process import ProcessFailedError, run
from lab.foundation.progress import StepContext
from lab.supply.cache import Cache, Record, explain_full_disk, key_of
from lab.supply.catalogue import DebianTree
from lab.supply.debian_archive import archive_words, packages_missing
from lab.supply.layers import Layer, write_layer

KIND = "debian"
RECIPE = 1
"""Raised when `_settle` changes, so that trees are made anew."""

_LEFT_OUT = (
    "dev",
    "etc/apt",
    "usr/lib/x86_64-linux-gnu/gconv",
    "usr/lib/aarch64-linux-gnu/gconv",
    "usr/share/bash-completion",
    "usr/share/doc",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "var",
)
_PROGRAM_FOLDERS = ("bin", "sbin", "usr/bin", "usr/sbin")
_ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
}


@dataclass(frozen=True)
class DebianTreeBuilder:
    """Makes one tree of the catalogue. `moment` (seconds since 1970) is every file's time in the layer."""

    tree: DebianTree
    moment: int
    cache: Cache
    stop: threading.Event

    @property
    def key(self) -> str:
        programs = [[program.name, program.path] for program in self.tree.programs]
        return key_of(
            {
                "suite": self.tree.suite,
                "packages": sorted(self.tree.packages),
                "programs": programs,
                "moment": self.moment,
                "recipe": RECIPE,
                **({"left out": self.tree.left_out} if self.tree.left_out else {}),
            }
        )

    def made(self) -> Record | None:
        """The record of an earlier run; its packages stay until the recipe or the list changes."""
        return self.cache.recall(KIND, self.key)

    def make(self, step: StepContext) -> Record:
        """Fetch and unpack the packages; out come the layer, by the tree's name, and its programs.

        Raises LabError when packages cannot be fetched or the disk is full.
        """
        with self.cache.work_folder() as folder:
            root = folder / "tree"
            step.doing("fetching Debian packages")
            self._unpack(root)
            used = _versions(root)
            step.doing("writing the layer")
            _settle(root)
            _leave_out(root, self.tree.left_out)
            layer = folder / "layer.tar"
            write_layer(layer, Layer.of_tree(root), self.moment)
            outputs = {self.tree.name: self.cache.put(layer)}
            outputs |= {program.name: self.cache.put(root / program.path) for program in self.tree.programs}
        record = Record(KIND, self.tree.name, self.tree.suite, outputs, used, "mmdebstrap")
        self.cache.remember(self.key, record)
        return record

    def _unpack(self, root: Path) -> None:
        include = ",".join(sorted(self.tree.packages))
        # The archives stay in the tree for their names, which tell the versions.
        command = ["mmdebstrap", "--variant=extract", "--skip=cleanup/apt", f"--include={include}"]
        try:
            with explain_full_disk(self.cache.root):
                run([*command, self.tree.suite, str(root), *archive_words(self.tree.suite)], stop=self.stop)
        except ProcessFailedError as failed:
            raise packages_missing(f"the base of images ({self.tree.name})", failed) from failed


def _versions(root: Path) -> tuple[str, ...]:
    """`name version` of every package, from the names of the archives (NAME_VERSION_ARCHITECTURE.deb)."""
    names = (path.stem.split("_") for path in (root / "var/cache/apt/archives").glob("*.deb"))
    return tuple(sorted(f"{name} {unquote(version)}" for name, version, _ in names))


def _settle(root: Path) -> None:
    """Do what the packages' own scripts would do, had they been run, and leave out what no program needs."""
    if _there(root / "usr/sbin/xtables-legacy-multi"):
        # The legacy iptables, as on the nodes: of rules of both kinds neither program sees all.
        for family in ("iptables", "ip6tables"):
            for suffix in ("", "-save", "-restore"):
                _link(root / "usr/sbin" / f"{family}{suffix}", "xtables-legacy-multi")
    _link(root / "bin/sh", "dash")
    # Small versions of the usual programs, except where a package brought the real one.
    for applet in run([root / "bin/busybox", "--list"]).stdout.split():
        if not any(_there(root / folder / applet) for folder in _PROGRAM_FOLDERS):
            _link(root / "bin" / applet, "busybox")
    _leave_out(root, _LEFT_OUT)
    (root / "root").mkdir(exist_ok=True)
    for name, content in _ACCOUNTS.items():
        (root / name).write_text(content)


def _leave_out(root: Path, patterns: Sequence[str]) -> None:
    for pattern in patterns:
        for path in list(root.glob(pattern)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _link(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _there(path: Path) -> bool:
    return path.exists() or path.is_symlink()
