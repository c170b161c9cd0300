"""Snapshots on disk: for each machine its memory as a file, and its frozen disk layers.

A snapshot is a folder with a manifest. It gets its name when all in it is whole, and nothing in it changes
after that, so labs and the cache share its files as hard links.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from lab.foundation.files import link_or_copy
from lab.machines.layers import Layers, freeze

MANIFEST = "snapshot.json"
UNFINISHED = ".unfinished-"


@dataclass(frozen=True)
class Snapshot:
    """All machines of a lab at one instant."""

    name: str
    folder: Path
    layers: Mapping[str, tuple[str, ...]]
    """The frozen disk layers of each machine, the topmost first, by the machine's name."""

    @property
    def taken(self) -> float:
        """When, in seconds since the epoch."""
        return (self.folder / MANIFEST).stat().st_mtime

    def memory(self, node: str) -> Path:
        """Memory and devices of the machine, as libvirt saves them."""
        return memory_file(self.folder, node)

    def beside(self, name: str) -> Path:
        """A file that was put beside the machines."""
        return self.folder / name

    @property
    def all_layers(self) -> frozenset[str]:
        return frozenset(layer for layers in self.layers.values() for layer in layers)


def memory_file(folder: Path, node: str) -> Path:
    return folder / f"{node}.memory"


class Snapshots:
    """The snapshots below `root`, whose disks are among `layers`."""

    def __init__(self, root: Path, layers: Layers) -> None:
        self._root = root
        self.layers = layers

    def all(self) -> tuple[Snapshot, ...]:
        """Those of which every file is there, by name."""
        found = (_read(path.parent) for path in sorted(self._root.glob(f"[!.]*/{MANIFEST}")))
        return tuple(snapshot for snapshot in found if self._whole(snapshot))

    def find(self, name: str) -> Snapshot | None:
        return next((snapshot for snapshot in self.all() if snapshot.name == name), None)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder on the file system of the snapshots, which goes at the end of the block."""
        self._root.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self._root))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def adding(self, name: str, beside: Iterable[Path] = ()) -> Iterator[Path]:
        """A folder for the memory files, and at last for `write_manifest`; it becomes the snapshot.

        The files `beside` are copied into it. When the block ends with an error, nothing of it stays.
        """
        with self.staging() as folder:
            for path in beside:
                shutil.copy2(path, folder / path.name)
            yield folder
            for path in folder.iterdir():
                freeze(path)
            self.remove(name)
            folder.rename(self._folder(name))

    def remove(self, name: str) -> None:
        """Forget the snapshot; its layers stay until `sweep`."""
        (self._folder(name) / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(self._folder(name), ignore_errors=True)

    def remove_all(self) -> None:
        shutil.rmtree(self._root, ignore_errors=True)

    def link(self, name: str, to: Snapshots, as_name: str | None = None) -> None:
        """Let the snapshot be one of `to` as well, with its layers. Raises KeyError when there is none."""
        snapshot = self.find(name)
        if snapshot is None:
            raise KeyError(name)
        for layer in snapshot.all_layers:
            self.layers.link(layer, to.layers)
        new_name = as_name or name
        with to.adding(new_name) as folder:
            for path in snapshot.folder.iterdir():
                if path.name != MANIFEST:
                    link_or_copy(path, folder / path.name)
            write_manifest(folder, new_name, snapshot.layers)

    def sweep(self) -> None:
        """Remove what killed commands left unfinished."""
        for path in self._root.glob(f"{UNFINISHED}*"):
            shutil.rmtree(path, ignore_errors=True)

    def _folder(self, name: str) -> Path:
        return self._root / quote(name, safe=":=")

    def _whole(self, snapshot: Snapshot) -> bool:
        files = (
            *(snapshot.memory(node) for node in snapshot.layers),
            *(self.layers.path(layer) for layer in snapshot.all_layers),
        )
        return all(path.exists() for path in files)


def write_manifest(folder: Path, name: str, layers: Mapping[str, tuple[str, ...]]) -> None:
    (folder / MANIFEST).write_text(json.dumps({"name": name, "layers": layers}, indent=1))


def _read(folder: Path) -> Snapshot:
    said = json.loads((folder / MANIFEST).read_text())
    layers = {node: tuple(chain) for node, chain in said["layers"].items()}
    return Snapshot(said["name"], folder, layers)
