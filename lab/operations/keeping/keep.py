"""What `lab up` built, kept in the cache, and labs brought back from there."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path

from lab.foundation.errors import LabError
from lab.foundation.files import write_atomically
from lab.machines.snapshots import Snapshot
from lab.machines.vagrantfile import TEMPLATE
from lab.operations.context import Lab
from lab.operations.keeping.leap import after_leap
from lab.operations.own_keys import give_keys
from lab.state.exercise import note_return
from lab.state.kept_labs import KeptLab, KeptLabs, Kind
from lab.state.records import now
from lab.topology.mode_choice import ModeChoice
from lab.topology.plan import Plan

CLUSTER_SNAPSHOT = "cluster"
"""The instant at which the cluster stands and has no pod network yet."""
OF_MODE = "mode-"
MACHINES = "machines"
DISK_LEFT_GIB = 5
"""What a snapshot that only saves time must leave of the disk, for the machines and for everybody else."""
PACKAGE = Path(__file__).parents[1]
MAKES_CLUSTERS = ("topology", "machines", "nodes", "cluster", "modes")
"""The packages whose code decides what is in a cluster."""


def mode_snapshot(mode: ModeChoice) -> str:
    """The name of the instant at which the cluster was ready in that mode."""
    return f"{OF_MODE}{mode}"


def mode_of_snapshot(name: str) -> str:
    """The mode, with options, whose ready cluster that snapshot holds; "" when it is of another kind."""
    return name.removeprefix(OF_MODE) if name.startswith(OF_MODE) else ""


def take_snapshot(lab: Lab, name: str) -> None:
    """Keep the lab as it is now. Raises LabError when the name is taken or not all nodes run."""
    lab.machines.snapshot(name, _access(lab))


def take_mode_snapshot(lab: Lab) -> None:
    """Keep the lab as it is now in its mode, for a rebuild into that mode.

    It only saves time: kept labs of other kinds and then snapshots of other modes make room for it, the
    oldest first, and without room none is taken. The progress notes say so.
    """
    name = mode_snapshot(lab.plan.choice)
    _let_kept_labs_make_room(lab)
    others = [each for each in lab.machines.snapshots_by_age() if mode_of_snapshot(each) and each != name]
    while not (room := has_room(lab)) and others:
        oldest = others.pop(0)
        lab.machines.remove_snapshot(oldest)
        lab.progress.note(
            f"the disk is nearly full: removed the snapshot of the mode {mode_of_snapshot(oldest)}"
        )
    if room:
        take_snapshot(lab, name)
    else:
        lab.progress.note(f"the disk is nearly full: no snapshot of the mode {lab.plan.choice} was taken")


def _let_kept_labs_make_room(lab: Lab) -> None:
    """Those of this lab's own kind stay: its snapshots share their files, so that nothing would be free."""
    if has_room(lab):
        return
    own = kind_of(lab).key
    for kept in reversed(KeptLabs().all()):
        if has_room(lab):
            return
        if kept.kind.key != own and kept.is_on_the_disk_of(lab.folder.root):
            KeptLabs().remove(kept)
            lab.progress.note(
                f"the disk is nearly full: removed the kept lab of {kept.kind.topology} in {kept.kind.mode}"
            )


def has_room(lab: Lab) -> bool:
    """Whether all memory of the nodes can be written down and the disk still has `DISK_LEFT_GIB`."""
    needed_mib = sum(node.memory_mib for node in lab.plan.nodes) + DISK_LEFT_GIB * 1024
    return shutil.disk_usage(lab.folder.root).free >= needed_mib * 2**20


def go_back(lab: Lab, name: str, plugins: Mapping[str, str] | None = None) -> None:
    """Bring the lab back to the instant of that snapshot, with the present time, and with plugins of QEMU's.

    An exercise that runs in it has that on record. Its secrets and kubeconfig are those of the snapshot after
    that, which may come from another lab; its SSH keys are its own. The kubeconfig comes last: without it, a
    lab counts as not brought back. Raises LabError when there is no such snapshot.
    """
    note_return(lab.folder, f"went back to the snapshot {name}")
    back = lab.machines.revert(name, plugins)
    give_keys(lab)
    _bring_access(lab.folder.secrets, back.snapshot)
    after_leap(lab, back.leap)
    _bring_access(lab.folder.kubeconfig, back.snapshot)


def _bring_access(path: Path, snapshot: Snapshot) -> None:
    write_atomically(path, snapshot.beside(path.name).read_bytes(), 0o600)


def kind_of(lab: Lab) -> Kind:
    """What a kept lab must be like to stand for this one. Raises LabError while it has no box."""
    box = lab.box
    if box is None:
        raise LabError(f"the lab {lab.folder.name} has no box yet")
    parts = {
        "plan": plan_digest(lab.plan),
        "box": box.digest,
        "accelerator": lab.record.accelerator,
        "code": _code_digest(),
    }
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    # The blobs of the cache are named by their digests.
    images = sorted(archive.name for archive in lab.archives_on_demand.values())
    in_mode = {**lab.plan.mode_options, **({"images": images} if images else {})}
    options = json.dumps(in_mode, sort_keys=True) if in_mode else ""
    return Kind(key, lab.plan.topology, lab.plan.mode, options)


def keep(lab: Lab, snapshots: tuple[str, ...]) -> None:
    """Keep these snapshots of the lab for the next of its kind. Raises LabError when the disk is full."""
    try:
        with KeptLabs().adding(kind_of(lab), now()) as target:
            lab.machines.keep(target / MACHINES, snapshots)
            shutil.copy2(lab.folder.secrets, target)
    except OSError as error:
        raise LabError(f"cannot keep the lab {lab.folder.name}: {error.strerror}") from error


def bring_back(lab: Lab, kept: KeptLab, *, with_mode: bool) -> None:
    """Make this lab from the kept one, as it was when it was kept.

    A kept lab in another mode than the wanted one is brought back as the cluster without pod network, and so
    is every one if not `with_mode`.
    """
    with KeptLabs().in_use(kept) as source:
        same = with_mode and kept.kind == kind_of(lab)
        snapshots = (CLUSTER_SNAPSHOT, *([mode_snapshot(lab.plan.choice)] if same else []))
        lab.machines.bring_back(source / MACHINES, snapshots)
    go_back(lab, snapshots[-1])


def is_kept(lab: Lab) -> bool:
    """Whether the cache has a lab of this kind in its present mode."""
    return KeptLabs().has(kind_of(lab))


def bring_mode(lab: Lab) -> bool:
    """Let the lab have the snapshot of its mode that a lab of the same cluster has left in the cache.

    Returns whether there was one. Labs of one kind may still be different clusters, each with its own
    secrets: those that were built, and not brought back from the cache.
    """
    kind = kind_of(lab)
    kept = KeptLabs().find(kind)
    if kept is None or kept.kind != kind:
        return False
    try:
        with KeptLabs().in_use(kept) as source:
            if (source / lab.folder.secrets.name).read_bytes() != lab.folder.secrets.read_bytes():
                return False
            lab.machines.take_over(source / MACHINES, mode_snapshot(lab.plan.choice))
    except FileNotFoundError:
        return False  # it was removed since it was found
    return True


def plan_digest(plan: Plan) -> str:
    """SHA-256 over all that the plan says of the cluster before it has a pod network."""
    said = asdict(replace(plan, mode="", mode_options={}))
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def _access(lab: Lab) -> tuple[Path, ...]:
    """What opens the cluster."""
    return lab.folder.secrets, lab.folder.kubeconfig


def _code_digest() -> str:
    digest = hashlib.sha256()
    for path in (TEMPLATE, *_sources()):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _sources() -> Iterator[Path]:
    for name in MAKES_CLUSTERS:
        files = (path for path in (PACKAGE / name).rglob("*") if path.is_file() and path.suffix != ".pyc")
        yield from sorted(files)
