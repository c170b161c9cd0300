"""What `lab up` built, kept in the cache, and labs brought back from there."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from lab.foundation.errors import LabError
from lab.foundation.files import write_atomically
from lab.operations.context import Lab
from lab.operations.ssh_config import write_ssh_config
from lab.state.kept_labs import KeptLab, KeptLabs, Kind
from lab.state.records import now
from lab.topology.mode_choice import ModeChoice

CLUSTER_SNAPSHOT = "cluster"
"""The instant at which the cluster stands and has no pod network yet."""
OF_MODE = "mode-"
MACHINES = "machines"
PACKAGE = Path(__file__).parents[1]
TEMPLATE = PACKAGE.parent / "Vagrantfile.j2"
MAKES_CLUSTERS = ("topology", "machines", "nodes", "cluster", "modes")
"""The packages whose code decides what is in a cluster."""


def mode_snapshot(mode: ModeChoice) -> str:
    """The name of the instant at which the cluster was ready in that mode."""
    return f"{OF_MODE}{mode}"


def mode_of_snapshot(name: str) -> str:
    """The mode, with options, whose ready cluster that snapshot holds; "" when it is of another kind."""
    return name.removeprefix(OF_MODE) if name.startswith(OF_MODE) else ""


def kind_of(lab: Lab) -> Kind:
    """What a kept lab must be like to stand for this one. Raises LabError while it has no box."""
    box = lab.box
    if box is None:
        raise LabError(f"the lab {lab.folder.name} has no box yet")
    parts = {
        "plan": asdict(replace(lab.plan, mode="", mode_options={})),
        "box": box.digest,
        "accelerator": lab.record.accelerator,
        "code": _code_digest(),
    }
    key = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
    options = json.dumps(lab.plan.mode_options, sort_keys=True) if lab.plan.mode_options else ""
    return Kind(key, lab.plan.topology, lab.plan.mode, options)


def keep(lab: Lab, snapshots: tuple[str, ...]) -> None:
    """Keep these snapshots of the lab for the next of its kind. Raises LabError when the disk is full."""
    try:
        with KeptLabs().adding(kind_of(lab), now()) as target:
            lab.machines.keep(target / MACHINES, snapshots)
            for path in _files(lab):
                shutil.copy2(path, target / path.name)
    except OSError as error:
        raise LabError(f"cannot keep the lab {lab.folder.name}: {error.strerror}") from error


def bring_back(lab: Lab, kept: KeptLab) -> None:
    """Make this lab from the kept one, as it was when it was kept.

    A kept lab in another mode than the wanted one is brought back as the cluster without pod network. The
    kubeconfig comes last: without it, a lab counts as not brought back.
    """
    with KeptLabs().in_use(kept) as source:
        lab.folder.key.parent.mkdir(parents=True, exist_ok=True)
        *files, kubeconfig = _files(lab)
        for path in files:
            shutil.copy2(source / path.name, path)
        same = kept.kind == kind_of(lab)
        snapshots = (CLUSTER_SNAPSHOT, *([mode_snapshot(lab.plan.choice)] if same else []))
        lab.machines.bring_back(source / MACHINES, snapshots)
        last = (source / kubeconfig.name).read_text()
    lab.machines.revert(snapshots[-1])
    write_ssh_config(lab)
    write_atomically(kubeconfig, last, 0o600)


def _files(lab: Lab) -> tuple[Path, ...]:
    return lab.folder.key, lab.folder.secrets, lab.folder.kubeconfig


def _code_digest() -> str:
    digest = hashlib.sha256()
    for path in (TEMPLATE, *_sources()):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _sources() -> Iterator[Path]:
    for name in MAKES_CLUSTERS:
        files = (path for path in (PACKAGE / name).rglob("*") if path.is_file() and path.suffix != ".pyc")
        yield from sorted(files)
