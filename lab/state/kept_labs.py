"""Labs kept for the next `lab up` of the same kind: folders by key, whole or not there, within a limit."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock

from lab.foundation.errors import WrongUseError
from lab.foundation.files import BLOCK
from lab.foundation.paths import cache_root

LIMIT_VARIABLE = "LAB_KEPT_GIB"
DEFAULT_LIMIT_GIB = 20.0
GIB = 2**30
KEY_LENGTH = 16
DESCRIPTION = "kept.json"
UNFINISHED = ".unfinished-"


@dataclass(frozen=True)
class Kind:
    """What must be equal for a kept lab to stand for another."""

    key: str
    """SHA-256 over everything that went into the cluster before it had a pod network."""
    topology: str
    mode: str
    options: str = ""
    """The mode's options, as the topology sets them."""

    @property
    def folder_name(self) -> str:
        options = f"-{hashlib.sha256(self.options.encode()).hexdigest()[:8]}" if self.options else ""
        return f"{self.key[:KEY_LENGTH]}-{self.mode}{options}"


@dataclass(frozen=True)
class KeptLab:
    """One kept lab; `folder` holds what the keeper wrote."""

    kind: Kind
    made: str
    """UTC, ISO 8601."""
    folder: Path

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(self.blocks.values())

    @property
    def blocks(self) -> Mapping[tuple[int, int], int]:
        """Bytes on disk of each file, by device and inode: kept labs share files by hard links."""
        found = (path.stat() for path in self.folder.rglob("*"))
        return {(stat.st_dev, stat.st_ino): stat.st_blocks * BLOCK for stat in found}

    def is_on_the_disk_of(self, path: Path) -> bool:
        """Whether its removal makes room there."""
        return self.folder.stat().st_dev == path.stat().st_dev

    @property
    def last_used(self) -> float:
        """Seconds since 1970."""
        return (self.folder / DESCRIPTION).stat().st_mtime


def limit_bytes() -> int:
    """How much kept labs may take: LAB_KEPT_GIB, 20 GiB when unset. Raises WrongUseError for no number."""
    text = os.environ.get(LIMIT_VARIABLE)
    try:
        return gib_bytes(float(text) if text else DEFAULT_LIMIT_GIB)
    except ValueError:
        raise WrongUseError(
            f"{LIMIT_VARIABLE} is {text!r}, expected a number of GiB", resolution=f"{LIMIT_VARIABLE}=20"
        ) from None


def gib_bytes(gib: float) -> int:
    """So many GiB in bytes. Raises ValueError for what is no amount: below 0, infinite, no number."""
    if not 0 <= gib < math.inf:
        raise ValueError(f"{gib} is not a number of GiB")
    return int(gib * GIB)


class KeptLabs:
    """The kept labs below `root`; without one, in the user's cache."""

    def __init__(self, root: Path | None = None) -> None:
        self._root = root or cache_root() / "labs"

    def all(self) -> tuple[KeptLab, ...]:
        """Every kept lab, the one used last first."""
        found = (_read(path.parent) for path in self._root.glob(f"[!.]*/{DESCRIPTION}"))
        return tuple(sorted((kept for kept in found if kept), key=lambda kept: -kept.last_used))

    def find(self, kind: Kind) -> KeptLab | None:
        """The lab kept for that kind; one in another mode, or with other options, when there is none."""
        alike = [kept for kept in self.all() if kept.kind.key == kind.key]
        exact = [kept for kept in alike if kept.kind == kind]
        return next(iter([*exact, *alike]), None)

    def has(self, kind: Kind) -> bool:
        """Whether a lab of that kind, in that mode with these options, is kept."""
        found = self.find(kind)
        return found is not None and found.kind == kind

    @contextmanager
    def in_use(self, kept: KeptLab) -> Iterator[Path]:
        """The kept lab's folder, which nobody removes meanwhile; the lab counts as used now.

        Raises FileNotFoundError when it was removed since it was found.
        """
        with self._locked():
            (kept.folder / DESCRIPTION).touch(exist_ok=True)
            yield kept.folder

    @contextmanager
    def adding(self, kind: Kind, made: str) -> Iterator[Path]:
        """An empty folder to fill; it becomes the kept lab of that kind when the block ends without an error.

        The labs used longest ago make room for it.
        """
        with self._locked():
            folder = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self._root))
            try:
                yield folder
                (folder / DESCRIPTION).write_text(json.dumps({"kind": asdict(kind), "made": made}))
                target = self._root / kind.folder_name
                shutil.rmtree(target, ignore_errors=True)
                folder.rename(target)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            self._prune(limit_bytes())

    def prune(self, limit: int) -> tuple[KeptLab, ...]:
        """Remove the labs used longest ago until the rest takes at most `limit` bytes; return the removed."""
        with self._locked():
            return self._prune(limit)

    def remove(self, kept: KeptLab) -> None:
        """Remove that one; nothing when it is gone already."""
        with self._locked():
            _remove(kept)

    def _prune(self, limit: int) -> tuple[KeptLab, ...]:
        removed = []
        counted: dict[tuple[int, int], int] = {}
        for kept in self.all():
            counted.update(kept.blocks)
            if sum(counted.values()) > limit:
                _remove(kept)
                removed.append(kept)
        return tuple(removed)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One at a time; what a killed one left unfinished goes."""
        self._root.mkdir(parents=True, exist_ok=True)
        with FileLock(self._root / ".lock"):
            for path in self._root.iterdir():
                if path.is_dir() and not (path / DESCRIPTION).exists():
                    shutil.rmtree(path, ignore_errors=True)
            yield


def _remove(kept: KeptLab) -> None:
    # Without its description it is a kept lab no more, however far the removal comes.
    (kept.folder / DESCRIPTION).unlink(missing_ok=True)
    shutil.rmtree(kept.folder, ignore_errors=True)


def _read(folder: Path) -> KeptLab | None:
    try:
        fields = json.loads((folder / DESCRIPTION).read_text())
        return KeptLab(Kind(**fields["kind"]), fields["made"], folder)
    except (OSError, ValueError, KeyError, TypeError):
        return None
