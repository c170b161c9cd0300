"""Snapshots in one file each, to be brought into a lab of the same plan, on this host or another.

The file is a tar compressed with zstd: `manifest.json`, then the memory of the machines below `snapshots/`
and their disk layers in `layers/`.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from lab.foundation.archive import pack_whole, unpack, unpack_one
from lab.foundation.errors import LabError, WrongUseError, refused_by_system
from lab.foundation.files import is_plain_file
from lab.foundation.process import Completed, ProcessFailedError
from lab.foundation.progress import Progress
from lab.foundation.strict import STRICT, problems_of
from lab.host.processor import UNKNOWN, Processor
from lab.machines.layers import Layers
from lab.machines.snapshots import Snapshots
from lab.operations.context import Lab
from lab.operations.keeping.keep import plan_digest
from lab.state.records import SnapshotRecord
from lab.supply.bundle.manifest import FileEntry

FORMAT: Literal[1] = 1
"""Raised when a file is laid out in another way."""
NAME = "manifest.json"
SNAPSHOTS = "snapshots"
LAYERS = "layers"
CLOCK_TOLERANCE = 0.001
"""By which share the time stamp counters of two hosts may differ: a guest's clock goes wrong by as much."""
NO_ROOM = os.strerror(errno.ENOSPC)
"""What tar and zstd say of a full disk."""


@dataclass(frozen=True, config=STRICT)
class Origin:
    """What the lab that a snapshot comes into must be like."""

    topology: str
    plan: str
    """SHA-256 of the address plan, without the network mode."""
    box: str
    """Digest of the box."""
    accelerator: str
    counter_khz: int
    """The host's time stamp counter: an emulated guest measures time with it."""
    processor: Processor = UNKNOWN
    """The host's: with KVM, guests see it."""

    @classmethod
    def of(cls, lab: Lab) -> Self:
        record = lab.record
        return cls(
            lab.plan.topology,
            plan_digest(lab.plan),
            record.box_digest,
            record.accelerator,
            record.counter_khz,
            Processor.of_this_host(),
        )

    def refusals(self, here: Origin) -> tuple[str, ...]:
        """Why a snapshot of this origin does not fit a lab like `here`; empty when it does."""
        reasons = []
        if self.plan != here.plan:
            reasons.append(
                f"it was made from topology {self.topology} with another address plan or other options"
            )
        if self.box != here.box:
            reasons.append(f"its machines are made from box {self.box[:12]}, those here from {here.box[:12]}")
        if self.accelerator != here.accelerator:
            reasons.append(f"its machines run with {self.accelerator}, those here with {here.accelerator}")
        elif self.accelerator == "kvm":
            reasons += self.processor.refusals(here.processor)
        elif self.accelerator == "qemu" and not _close(self.counter_khz, here.counter_khz):
            reasons.append(
                f"its host's time stamp counter runs at {self.counter_khz} kHz, this host's at "
                f"{here.counter_khz} kHz: the clocks of emulated machines would go wrong"
            )
        return tuple(reasons)

    @property
    def fits(self) -> str:
        """Which machines a snapshot of this origin is for."""
        if self.accelerator == "kvm":
            host = f"KVM works and the processor is {self.processor}, with all of its features switched on"
        else:
            host = (
                "guests are emulated, whatever the processor, and the time stamp counter runs at "
                f"{self.counter_khz} kHz, give or take {CLOCK_TOLERANCE:.1%}"
            )
        return f"a lab of the topology {self.topology} and the box {self.box[:12]}, on a host where {host}"


def _close(one: int, other: int) -> bool:
    return abs(one - other) <= CLOCK_TOLERANCE * max(one, other)


@dataclass(frozen=True, config=STRICT)
class Manifest:
    """The whole of a file."""

    format: Literal[1]
    origin: Origin
    snapshot: SnapshotRecord
    files: Mapping[str, FileEntry]
    """By path in the file."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())


_MANIFEST = TypeAdapter(Manifest)


def write_snapshot_file(lab: Lab, snapshot: SnapshotRecord, target: Path, progress: Progress) -> Manifest:
    """Write the lab's snapshot of that name; the file appears when it is whole.

    Raises LabError when it cannot be written.
    """
    if not target.parent.is_dir():
        raise LabError(f"there is no folder {target.parent} to write the snapshot into")
    store = lab.machines.store
    with store.staging() as folder:
        store.link(snapshot.name, _staged(folder))
        with progress.step("digests"):
            files = {str(path.relative_to(folder)): FileEntry.of(path) for path in _files(folder)}
        manifest = Manifest(FORMAT, Origin.of(lab), snapshot, files)
        (folder / NAME).write_bytes(_MANIFEST.dump_json(manifest, indent=1))
        try:
            with progress.step(f"write {target}") as step:
                # The memory holds the cluster's keys.
                pack_whole(folder, (NAME, SNAPSHOTS, LAYERS), target, manifest.size, step, private=True)
        except ProcessFailedError as failed:
            raise LabError(f"cannot write {target}", details=failed.details) from failed
    return manifest


def read_manifest(file: Path) -> Manifest:
    """What the file says of itself.

    Raises WrongUseError when it holds no snapshot, LabError when there is no room to unpack it.
    """
    with tempfile.TemporaryDirectory() as folder:
        done = unpack_one(file, NAME, Path(folder))
        _require_room(done, Path(folder))
        manifest = Path(folder) / NAME
        if not is_plain_file(manifest):
            raise _foreign(file, f"there is no {NAME} in it")
        try:
            return _MANIFEST.validate_json(manifest.read_bytes())
        except ValidationError as error:
            raise _foreign(file, f"its {NAME} is wrong: {problems_of(error)}") from error


def read_snapshot_file(lab: Lab, file: Path, name: str, progress: Progress) -> None:
    """Bring the snapshot in the file into the lab under that name.

    Nothing of it is in the lab before all of it is found to be right. Raises WrongUseError when the file
    holds no snapshot or one that does not fit the lab, LabError when it is damaged or the disk is full.
    """
    manifest = read_manifest(file)
    _require_fit(lab, file, manifest)
    store = lab.machines.store
    with store.staging() as folder:
        with progress.step(f"unpack {file}") as step:
            done = unpack(file, folder, manifest.size, step)
            _require_room(done, folder)
            if done.returncode != 0:
                raise _damaged(file, done.stderr)
        with progress.step("check digests"):
            _check(file, folder, manifest)
        staged = _staged(folder)
        found = staged.find(manifest.snapshot.name)
        nodes = [node.name for node in lab.plan.nodes]
        if (
            found is None
            or set(found.layers) != set(nodes)
            or not found.all_layers <= staged.layers.of(nodes)
        ):
            raise _damaged(file, "it does not hold a snapshot of these machines")
        staged.link(found.name, store, name)


def _staged(folder: Path) -> Snapshots:
    return Snapshots(folder / SNAPSHOTS, Layers(folder / LAYERS))


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def _require_fit(lab: Lab, file: Path, manifest: Manifest) -> None:
    reasons = manifest.origin.refusals(Origin.of(lab))
    if reasons:
        raise WrongUseError(
            f"the snapshot in {file} does not fit the lab {lab.folder.name}",
            details="\n".join(reasons),
            resolution="bring it into a lab of the same topology, box and kind of host",
        )


def _check(file: Path, folder: Path, manifest: Manifest) -> None:
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()} - {NAME}
    if found != set(manifest.files):
        raise _damaged(
            file, f"its manifest does not name its files: {sorted(found ^ set(manifest.files))[0]}"
        )
    for name, entry in manifest.files.items():
        path = folder / name
        if not is_plain_file(path) or FileEntry.of(path) != entry:
            raise _damaged(file, f"{name} does not match the manifest")


def _require_room(done: Completed, folder: Path) -> None:
    """Raises LabError when unpacking ended because the disk of `folder` is full."""
    if NO_ROOM in done.stderr:
        raise refused_by_system(f"cannot unpack into {folder.parent}", OSError(errno.ENOSPC, NO_ROOM))


def _foreign(file: Path, why: str) -> WrongUseError:
    return WrongUseError(
        f"{file} holds no snapshot of a lab",
        details=why,
        resolution="name a file that `lab snapshot export` of this version has written",
    )


def _damaged(file: Path, why: str) -> LabError:
    return LabError(
        f"the snapshot in {file} is damaged", details=why, resolution="copy or export the file again"
    )
