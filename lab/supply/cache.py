"""The store of everything a supply has made or was given: by content digest, shared by all labs.

Layout below the root: `blobs/sha256/DIGEST` are the contents, read-only and never changed;
`records/KIND/KEY.json` say which contents came out of which inputs; `tmp` holds work under way. A file is
written under `tmp` and renamed into place, so that a run ended at any moment leaves nothing half-made where
it would be found.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from lab.foundation.errors import LabError
from lab.foundation.files import sha256_of, write_atomically
from lab.foundation.paths import cache_root
from lab.foundation.process import ProcessFailedError
from lab.foundation.progress import Progress


@dataclass(frozen=True)
class Record:
    """What came out of some inputs: the digest of each product by name, and what was used to make them."""

    kind: str
    name: str
    version: str
    outputs: Mapping[str, str]
    used: tuple[str, ...] = ()
    """Modules or packages with their versions, such as `k8s.io/api v0.24.10`."""
    made_with: str = ""
    """The tool that made them, with its version."""


@dataclass(frozen=True)
class Verified:
    """The outcome of a verification: how many contents are good, and the names of those that were removed."""

    good: int
    damaged: tuple[str, ...]


class Cache:
    """The cache of software below `root`; without one, the user's."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or cache_root()

    @property
    def temporary(self) -> Path:
        return self.root / "tmp"

    def blob(self, digest: str) -> Path:
        """Where the content with this SHA-256 (64 hexadecimal digits) lies, or would lie."""
        return self.root / "blobs" / "sha256" / digest

    def put(self, path: Path) -> str:
        """Take a copy of the file into the cache and return its digest.

        Raises LabError when the disk is full.
        """
        digest = sha256_of(path)
        if self.blob(digest).exists():
            return digest
        with self.work_folder() as folder, explain_full_disk(self.root):
            copy = folder / digest
            shutil.copyfile(path, copy)
            self.take(copy, digest)
        return digest

    def take(self, path: Path, digest: str) -> None:
        """Move a file of a work folder, whose SHA-256 was found to be `digest`, to where contents lie."""
        target = self.blob(digest)
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        # Executable for all: programs are run and hard-linked from here.
        path.chmod(0o555)
        with path.open("rb") as written:
            os.fsync(written.fileno())
        path.replace(target)

    @contextmanager
    def work_folder(self) -> Iterator[Path]:
        """An empty folder on the cache's own file system, removed afterwards."""
        with explain_full_disk(self.root):
            self.temporary.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(dir=self.temporary))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def locked(self, progress: Progress) -> Iterator[None]:
        """Hold the cache for one who fills it; another waits and is told so. Leftovers of killed runs go."""
        self.root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.root / ".filling.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            progress.note("another lab is filling the cache; waiting for it to finish")
            lock.acquire()
        try:
            shutil.rmtree(self.temporary, ignore_errors=True)
            yield
        finally:
            lock.release()

    def remember(self, key: str, record: Record) -> None:
        """Write down what came out of the inputs whose digest is `key`."""
        write_atomically(self._record(record.kind, key), json.dumps(asdict(record), indent=1, sort_keys=True))

    def recall(self, kind: str, key: str) -> Record | None:
        """The record for these inputs; None when there is none or one of its contents is gone."""
        record = _read_record(self._record(kind, key))
        if record is None or not all(self.blob(digest).exists() for digest in record.outputs.values()):
            return None
        return record

    def forget(self, kind: str, key: str) -> None:
        self._record(kind, key).unlink(missing_ok=True)

    def records(self) -> tuple[Record, ...]:
        """All readable records, by kind and name."""
        found = [_read_record(path) for path in self.root.glob("records/*/*.json")]
        return tuple(
            sorted((record for record in found if record), key=lambda record: (record.kind, record.name))
        )

    def size(self, digest: str) -> int:
        """Bytes of one content; 0 when it is not there."""
        path = self.blob(digest)
        return path.stat().st_size if path.exists() else 0

    def verify(self) -> Verified:
        """Hash every content anew and remove those that are not what their name says.

        What was made from the same inputs is then made again by the next fetch.
        """
        names = {
            digest: f"{record.name}: {product}"
            for record in self.records()
            for product, digest in record.outputs.items()
        }
        good = 0
        damaged = []
        for path in sorted(self.blob("").glob("*")):
            if sha256_of(path) == path.name:
                good += 1
            else:
                path.unlink()
                damaged.append(names.get(path.name, path.name))
        return Verified(good, tuple(damaged))

    def _record(self, kind: str, key: str) -> Path:
        return self.root / "records" / kind / f"{key}.json"


def key_of(inputs: object) -> str:
    """The digest of inputs that JSON can hold."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


@contextmanager
def explain_full_disk(folder: Path) -> Iterator[None]:
    """Turn what the system, or a program that was run, says of a full disk into a LabError that names it."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise full_disk(folder) from error
    except ProcessFailedError as failed:
        if not says_full_disk(failed.completed.stderr):
            raise
        raise full_disk(folder) from failed


def says_full_disk(said: str) -> bool:
    """Whether a program said that a disk is full: what the C library and Go say for ENOSPC."""
    return "no space left" in said.lower()


def full_disk(folder: Path) -> LabError:
    """The error for a disk that has no room left."""
    return LabError(
        f"the disk that holds the cache {folder} is full",
        resolution="free some space (a cache with one version of Kubernetes takes about 9 GB) or name "
        "another folder in LAB_CACHE, then run the same command again: it goes on where it stopped",
    )


def _read_record(path: Path) -> Record | None:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        return Record(
            kind=fields["kind"],
            name=fields["name"],
            version=fields["version"],
            outputs=dict(fields["outputs"]),
            used=tuple(fields["used"]),
            made_with=fields["made_with"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
