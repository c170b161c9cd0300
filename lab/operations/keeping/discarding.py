"""Before a lab goes back: what users have made in it is told, and kept in a save point."""

from __future__ import annotations

from dataclasses import replace

from lab.foundation.errors import LabError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import Progress
from lab.operations.context import Lab
from lab.operations.faults import faults_in_machines
from lab.operations.keeping.keep import has_room, take_snapshot
from lab.operations.keeping.made_by_users import made_by_users
from lab.state.exercise import read_exercise
from lab.state.records import SnapshotRecord, locked, now

UNDO, REDO = "undo", "redo"
"""Save points that are taken before a lab goes back; the second one before it goes back to the first."""
BEFORE_DRILL = "before-drill"
"""The save point that a drill takes."""
LISTED = 20
DISCARD = "give --discard to go back without a save point"


def keep_what_was_made(folder: LabFolder, before: str, progress: Progress, *, going_to: str = "") -> None:
    """Tell what is in the cluster that users have made, and keep the lab as it is as `undo`.

    `before` is the command, `going_to` the snapshot that the lab goes back to, if it is known. Nothing is
    done where nothing was made, and in a lab whose machines do not all run. During an exercise no save point
    is taken, as it would put on record what is wrong. Raises LabError when there is something to lose, and it
    cannot be kept.
    """
    with locked(folder):
        lab = Lab.open(folder, progress)
        if not (lab.site.running and lab.all_running and lab.folder.kubeconfig.exists()):
            return
        if read_exercise(folder) is not None:
            progress.note(
                "an exercise runs: what you made is discarded without a save point, and the points too"
            )
            return
        if _anything_made(lab):
            name = REDO if going_to == UNDO else UNDO
            _keep(lab, name, before)
            progress.note(f"kept before {before}: `lab snapshot restore {name}` brings all of it back")


def _anything_made(lab: Lab) -> bool:
    """Whether something may have been made; it is told."""
    try:
        made = made_by_users(lab.api)
    except LabError as error:
        lab.progress.note(f"what was made in the cluster is not known, as it does not answer: {error.brief}")
        return True
    if made:
        more = f", and {len(made) - LISTED} more" if len(made) > LISTED else ""
        lab.progress.note(f"made in the cluster, and not there afterwards: {', '.join(made[:LISTED])}{more}")
    return bool(made)


def _keep(lab: Lab, name: str, before: str) -> None:
    if not has_room(lab):
        raise LabError("the disk has no room for a save point of what was made", resolution=DISCARD)
    try:
        with lab.progress.step(f"save {name}"):
            retake_snapshot(lab, name, f"taken by lab before {before}")
    except LabError as error:
        raise LabError(f"no save point: {error.brief}", details=error.details, resolution=DISCARD) from error


def retake_snapshot(lab: Lab, name: str, note: str) -> None:
    """Keep the lab as it is under a name of lab's own, in place of what was kept under it before.

    Raises LabError when not all nodes run.
    """
    if name in lab.machines.snapshots():
        lab.machines.remove_snapshot(name)
    take_snapshot(lab, name)
    record, faults = lab.record, faults_in_machines(lab.folder)
    images = record.images_on_demand
    remember_snapshot(lab, SnapshotRecord(name, record.mode, record.ready, now(), note, faults, images))


def remember_snapshot(lab: Lab, snapshot: SnapshotRecord) -> None:
    """Put on record what the lab is at the instant of the snapshot, in place of one of the same name."""
    others = tuple(record for record in lab.record.snapshots if record.name != snapshot.name)
    lab.update(replace(lab.record, snapshots=(*others, snapshot)))
