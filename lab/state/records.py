"""What a lab is and how far it has come, on disk: whole or not there, one writer at a time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field, replace
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.files import write_atomically
from lab.foundation.json_file import read_json, write_json
from lab.foundation.paths import LabFolder, labs_root
from lab.foundation.strict import STRICT
from lab.state.faults import InjectedFault
from lab.topology.values import dns_label


@dataclass(frozen=True, config=STRICT)
class StepRecord:
    """A step of `lab up` that ended well."""

    name: str
    seconds: float
    ended: str
    """UTC, ISO 8601."""


@dataclass(frozen=True, config=STRICT)
class SnapshotRecord:
    """A save point that a user made."""

    name: str
    mode: str
    """The network mode at that instant."""
    ready: bool
    """Whether `lab up` had come to its end."""
    made: str
    """UTC, ISO 8601."""
    note: str = ""
    faults: tuple[InjectedFault, ...] = ()
    """The known mistakes that were in its machines."""
    images_on_demand: Mapping[str, str] = field(default_factory=dict)
    """As in the lab's record."""


@dataclass(frozen=True, config=STRICT)
class LabRecord:
    """What is known of a lab besides its topology."""

    name: str
    mode: str
    supply: str
    created: str
    """UTC, ISO 8601."""
    runtime: str = ""
    accelerator: str = ""
    """kvm, or qemu for emulation."""
    counter_khz: int = 0
    """Frequency of the host's time stamp counter; 0 where it has none or was not measured yet."""
    box_digest: str = ""
    images: tuple[str, ...] = ()
    """References of the images in the box."""
    images_on_demand: Mapping[str, str] = field(default_factory=dict)
    """Images that the box lacks, of all modes the lab was in: their digests in the cache by reference."""
    kept_images: Mapping[str, str] = field(default_factory=dict)
    """Images of the user's that come back after a rebuild: their digests in the cache by full name."""
    ready: bool = False
    """True once `lab up` came to its end."""
    steps: tuple[StepRecord, ...] = ()
    snapshots: tuple[SnapshotRecord, ...] = ()
    installer: str = ""
    """How its cluster is made; empty like `kubernetes`."""
    by_hand: bool = False
    """Whether `lab up` was to end at a step: what comes after may be somebody's own work."""
    kubernetes: str = ""
    """The version that the lab was made with; empty in records of a `lab` that knew only the topology's."""
    kube_proxy: str = ""
    """The mode of kube-proxy that it was made with; the same."""
    policy: str = ""
    """The program that enforces its NetworkPolicies; the same."""

    def with_step(self, name: str, seconds: float) -> LabRecord:
        """The record with that step added, or its times replaced where it was there."""
        others = tuple(step for step in self.steps if step.name != name)
        return replace(self, steps=(*others, StepRecord(name, seconds, now())))


_RECORD = TypeAdapter(LabRecord)


class NoSuchLabError(WrongUseError):
    """A lab was named that does not exist, or none was named and there is not exactly one."""


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def lab_folder(name: str) -> LabFolder:
    """Where a lab of that name lies, or will lie. Raises WrongUseError when no lab can have that name."""
    try:
        return LabFolder(labs_root() / dns_label(name))
    except ValueError as error:
        raise WrongUseError(
            f"{name!r} is not a valid lab name",
            details=f"expected {error}",
            resolution="choose another one with --name or LAB_NAME, such as --name my-lab",
        ) from None


def existing_labs() -> tuple[LabFolder, ...]:
    """The folders of all labs, by name. A lab whose `up` was killed early counts too."""
    root = labs_root()
    if not root.is_dir():
        return ()
    folders = (
        LabFolder(path) for path in sorted(root.iterdir()) if path.is_dir() and not path.name.startswith(".")
    )
    return tuple(folders)


def choose_lab(name: str | None) -> LabFolder:
    """The lab of that name, or the only one there is.

    Raises NoSuchLabError that lists the labs.
    """
    labs = existing_labs()
    names = ", ".join(folder.name for folder in labs)
    if name is not None:
        for folder in labs:
            if folder.name == name:
                return folder
        raise NoSuchLabError(
            f"there is no lab named {name}",
            details=f"labs: {names}" if labs else "there is no lab at all",
            resolution="lab up --topology underlay-3node" if not labs else f"use --name with one of: {names}",
        )
    if len(labs) == 1:
        return labs[0]
    if not labs:
        raise NoSuchLabError("there is no lab", resolution="lab up --topology underlay-3node")
    raise NoSuchLabError(
        "there are several labs", details=f"labs: {names}", resolution="name one with --name"
    )


def read_record(folder: LabFolder) -> LabRecord | None:
    """The lab's record, or None when it has none yet. Raises LabError when it cannot be read."""
    return read_json(
        folder.state,
        _RECORD,
        what=f"the record of lab {folder.name}",
        resolution=f"lab down --name {folder.name}",
    )


def write_record(folder: LabFolder, record: LabRecord) -> None:
    write_json(folder.state, record)


@contextmanager
def locked(folder: LabFolder) -> Iterator[None]:
    """Keep other commands from changing this lab meanwhile.

    The lock is the kernel's: it goes with the process that holds it, however that ends.
    Raises LabError at once when another command holds it.
    """
    folder.lock.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise LabError(
            f"another command is changing the lab {folder.name} right now",
            resolution="wait until it has ended, or stop it with Ctrl-C where it runs",
        ) from None
    try:
        yield
    finally:
        lock.release()


def remove_folder(folder: LabFolder) -> None:
    """Delete the lab's folder and all in it. Raises LabError naming the first file that stays."""

    def explain(_: object, path: str, error: tuple[type[BaseException], BaseException, object]) -> None:
        if not isinstance(error[1], FileNotFoundError):
            raise LabError(
                f"cannot remove {path}",
                details=str(error[1]),
                resolution=f"see what still uses it (fuser -v {path}), then run lab down again",
            )

    if folder.root.exists():
        shutil.rmtree(folder.root, onerror=explain)
    folder.lock.unlink(missing_ok=True)


def save_topology(folder: LabFolder, source: Path) -> None:
    """Keep the topology as it is now, so that the lab stays what it was when the file is edited."""
    write_atomically(folder.topology, source.read_bytes())
