"""Save points of a lab: disk and memory of all nodes at one instant."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, replace
from pathlib import Path

from lab.foundation.errors import WrongUseError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import Progress, SilentProgress
from lab.operations.context import Lab
from lab.operations.doors.closed_doors import ClosedDoors
from lab.operations.doors.node_proxies import NodeProxies
from lab.operations.doors.pull_through import ThroughOpen
from lab.operations.exercises.during_exercise import refuse_during_exercise
from lab.operations.faults import faults_after_revert, faults_in_machines
from lab.operations.keeping.discarding import BEFORE_DRILL, REDO, UNDO, keep_what_was_made, remember_snapshot
from lab.operations.keeping.keep import CLUSTER_SNAPSHOT, go_back, mode_of_snapshot, take_snapshot
from lab.operations.keeping.snapshot_file import (
    Origin,
    read_manifest,
    read_snapshot_file,
    write_snapshot_file,
)
from lab.operations.steps import run_steps
from lab.state.records import SnapshotRecord, locked, now

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
"""The names of save points: those of DNS labels, RFC 1123."""


@dataclass(frozen=True)
class SnapshotRow:
    """One save point that every node has."""

    name: str
    mode: str
    """The network mode at that instant; "" before there was a pod network."""
    made: str
    """UTC, ISO 8601; "" for those that `lab` takes by itself."""
    note: str

    def as_json(self) -> dict[str, str]:
        return dataclasses.asdict(self)


def snapshot_rows(folder: LabFolder) -> tuple[SnapshotRow, ...]:
    """All save points of the lab, its own ones included. Raises LabError when it does not run."""
    lab = _running(folder, SilentProgress())
    saved = {record.name: record for record in lab.record.snapshots}
    return tuple(_row(name, saved.get(name)) for name in lab.machines.snapshots())


def save_snapshot(folder: LabFolder, name: str, note: str, progress: Progress) -> None:
    """Keep the lab as it is now under that name.

    Raises WrongUseError when the name is none or is taken and during an exercise, LabError when not all nodes
    run.
    """
    refuse_during_exercise(folder, "put on record what is wrong")
    _check_name(name)
    with locked(folder):
        lab = _running(folder, progress)
        _require_free(lab, name)
        with progress.step(f"save {name}"):
            take_snapshot(lab, name)
        faults, images = faults_in_machines(folder), lab.record.images_on_demand
        made = SnapshotRecord(name, lab.record.mode, lab.record.ready, now(), note, faults, images)
        remember_snapshot(lab, made)


def restore_snapshot(folder: LabFolder, name: str, progress: Progress, *, discard: bool = True) -> None:
    """Bring all nodes back to the instant of that name, with the present time.

    Without `discard`, what users have made is told and kept before. Raises WrongUseError when there is no
    such snapshot, LabError when the lab does not run or what was made cannot be kept.
    """
    if not discard:
        _require(_running(folder, progress), name)
        keep_what_was_made(folder, f"lab snapshot restore {name}", progress, going_to=name)
    with locked(folder):
        lab = _running(folder, progress)
        _require(lab, name)
        saved = _saved(lab, name)
        images = {**lab.record.images_on_demand, **saved.images_on_demand}
        lab.update(replace(lab.record, mode=saved.mode, ready=saved.ready, images_on_demand=images))
        with progress.step(f"restore {name}"):
            go_back(lab, name)
            faults_after_revert(lab, saved.faults)
        run_steps(lab, (ThroughOpen(if_open=True), NodeProxies(), ClosedDoors()))


def remove_snapshot(folder: LabFolder, name: str, progress: Progress) -> None:
    """Give up a save point. Raises WrongUseError when there is none or lab itself needs it."""
    with locked(folder):
        lab = _running(folder, progress)
        if name == CLUSTER_SNAPSHOT:
            raise WrongUseError(f"lab rebuild needs the snapshot {name}", resolution="keep it")
        _require(lab, name)
        with progress.step(f"remove {name}"):
            lab.machines.remove_snapshot(name)
        others = tuple(record for record in lab.record.snapshots if record.name != name)
        lab.update(replace(lab.record, snapshots=others))


def export_snapshot(folder: LabFolder, name: str, target: Path, progress: Progress) -> Origin:
    """Write the snapshot into one file, for another lab of the same plan; returns what that must be like.

    Raises WrongUseError when there is none of that name, LabError when the file cannot be written.
    """
    with locked(folder):
        lab = _running(folder, progress)
        _require(lab, name)
        return write_snapshot_file(lab, _saved(lab, name), target, progress).origin


def import_snapshot(folder: LabFolder, file: Path, name: str | None, progress: Progress) -> str:
    """Bring a snapshot into the lab from a file that `export_snapshot` wrote; returns its name there.

    That is `name`, or the one it had. Raises WrongUseError when it does not fit the lab or the name is taken,
    LabError when it is damaged.
    """
    with locked(folder):
        lab = _running(folder, progress)
        saved = read_manifest(file).snapshot
        here = replace(saved, name=name or saved.name)
        _check_name(here.name)
        _require_free(lab, here.name)
        read_snapshot_file(lab, file, here.name, progress)
        remember_snapshot(lab, here)
    return here.name


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise WrongUseError(
            f"{name!r} is not a valid snapshot name",
            resolution="use at most 63 letters a-z, digits and hyphens, a letter or digit at both ends",
        )
    if _is_automatic(name):
        raise WrongUseError(
            f"the name {name} is reserved for a snapshot that lab takes itself", resolution="take another"
        )


def _require_free(lab: Lab, name: str) -> None:
    if name in lab.machines.snapshots():
        raise WrongUseError(
            f"there is a snapshot {name} already",
            resolution=f"lab snapshot remove {name}, or take another name",
        )


def _saved(lab: Lab, name: str) -> SnapshotRecord:
    """What the lab was at the instant of that snapshot, its own ones included."""
    saved = next((record for record in lab.record.snapshots if record.name == name), None)
    if saved is not None:
        return saved
    mode = mode_of_snapshot(name)
    images = lab.record.images_on_demand
    return SnapshotRecord(name, mode or lab.record.mode, ready=bool(mode), made="", images_on_demand=images)


def _row(name: str, saved: SnapshotRecord | None) -> SnapshotRow:
    if saved is not None:
        return SnapshotRow(name, saved.mode, saved.made, saved.note)
    mode = mode_of_snapshot(name)
    note = "the clean cluster in its mode" if mode else "the cluster without pod network"
    return SnapshotRow(name, mode, "", f"{note}; taken by lab, for lab rebuild")


def _is_automatic(name: str) -> bool:
    return name in (CLUSTER_SNAPSHOT, UNDO, REDO, BEFORE_DRILL) or bool(mode_of_snapshot(name))


def _require(lab: Lab, name: str) -> None:
    known = lab.machines.snapshots()
    if name not in known:
        raise WrongUseError(
            f"the lab {lab.folder.name} has no snapshot {name}",
            details=f"there are: {', '.join(known) or 'none'}",
            resolution="lab snapshot list",
        )


def _running(folder: LabFolder, progress: Progress) -> Lab:
    lab = Lab.open(folder, progress)
    lab.require_running()
    return lab
