"""`lab support`: what a lab, its host and its nodes say, in one archive; it works on a broken lab too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lab.cluster.api import ClusterApi
from lab.foundation.errors import LabError
from lab.foundation.files import give_to_caller, write_atomically
from lab.foundation.paths import LabFolder
from lab.foundation.progress import Progress, SilentProgress
from lab.foundation.redaction import Redactor
from lab.machines.machines import MachineState
from lab.operations.context import Lab
from lab.operations.exercises.during_exercise import refuse_during_exercise
from lab.operations.software import host_findings
from lab.operations.status import status_of
from lab.operations.support.gathering import Gathered, Source, gather
from lab.operations.support.known_secrets import known_secrets
from lab.operations.support.of_cluster import LISTS, cluster_source, secret_values
from lab.operations.support.of_host import host_source
from lab.operations.support.of_nodes import node_source
from lab.operations.support.packing import Packed, pack
from lab.topology.plan import NodePlan

LIMIT = 100.0
"""Seconds for all; captures come on top."""
GREETING_LIMIT = 10.0
"""Seconds within which a node's sshd must greet."""


@dataclass(frozen=True)
class SupportArchive:
    """The archive that was written."""

    path: Path
    files: tuple[str, ...]
    missing: Mapping[str, str]
    """Why, by what could not be had."""
    redactions: int
    """Places in its files where a secret stood."""

    def as_json(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "files": list(self.files),
            "missing": [{"what": what, "why": why} for what, why in sorted(self.missing.items())],
            "redactions": self.redactions,
        }


def write_support(folder: LabFolder, file: Path | None, capture: int, progress: Progress) -> SupportArchive:
    """Write the archive to `file`, or to one named by lab and time in the current folder.

    `capture` is in seconds, 0 for none. What cannot be had is named in the archive's INDEX. Nothing of the
    lab is changed, and no lock is needed. Raises LabError when the file cannot be written, WrongUseError
    during an exercise.
    """
    refuse_during_exercise(folder, "say what is wrong")
    stem = f"lab-support-{folder.name}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    target = (file or Path(f"{stem}.tar.gz")).absolute()
    if not target.parent.is_dir():
        raise LabError(
            f"cannot write {target}: there is no folder {target.parent}", resolution="make it first"
        )
    with progress.step(f"gather what {folder.name} and this host say"):
        packed = _packed(folder, stem, capture)
    write_atomically(target, packed.data, 0o600)
    give_to_caller(target)
    return SupportArchive(target, packed.files, packed.missing, packed.redactions)


def _packed(folder: LabFolder, stem: str, capture: int) -> Packed:
    lab, problem = _open(folder)
    sources = [host_source(folder, host_findings)]
    if lab is not None:
        sources += _inside(lab, capture)
    gathered = gather(sources, LIMIT + capture)
    if problem:
        gathered.missing.update({"cluster/": problem, "nodes/": problem})
    secrets = known_secrets(folder) | _secrets_in(lab, gathered)
    about = f"lab {version('lab')}, lab {folder.name}, {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return pack(stem, about, gathered, Redactor(secrets))


def _open(folder: LabFolder) -> tuple[Lab | None, str]:
    """The lab that runs; or why there is nothing to ask."""
    try:
        lab = Lab.open(folder, SilentProgress())
        lab.require_running()
    except LabError as error:
        return None, error.brief
    return lab, ""


def _inside(lab: Lab, capture: int) -> Iterator[Source]:
    yield cluster_source(lambda: _api(lab), lambda: status_of(lab).as_json())
    for node in lab.plan.nodes:
        devices = [nic.device for nic in node.nics]
        shell = lab.nodes[node.name]
        yield node_source(node.name, shell, devices, capture, lambda node=node: _why_silent(lab, node))  # type: ignore[misc]


def _api(lab: Lab) -> ClusterApi:
    """Raises LabError when nobody can answer there."""
    if not lab.folder.kubeconfig.exists():
        raise LabError("there is no cluster yet")
    _require_one_of(lab, lab.plan.control_planes)
    return lab.api


def _why_silent(lab: Lab, node: NodePlan) -> str | None:
    _require_machine(lab, node)
    why = lab.nodes[node.name].why_silent(GREETING_LIMIT)
    return None if why is None else f"the sshd of {node.name} does not answer: {why}"


def _require_machine(lab: Lab, node: NodePlan) -> None:
    _require_one_of(lab, (node,))


def _require_one_of(lab: Lab, nodes: Sequence[NodePlan]) -> None:
    """Raises LabError, about the first, when the machine of none of them runs."""
    states = lab.machine_states()
    if all(states[node.name] is not MachineState.RUNNING for node in nodes):
        first = nodes[0].name
        raise LabError(f"the machine of {first} is {states[first].value}")


def _secrets_in(lab: Lab | None, gathered: Gathered) -> frozenset[str]:
    """Values of the cluster's Secrets, when it has answered before."""
    if lab is None or not any(f"cluster/{name}.json" in gathered.files for name in LISTS):
        return frozenset()
    try:
        return frozenset(secret_values(lab.api))
    except LabError as error:
        gathered.missing["values of Secrets, by which they are found in other files"] = error.brief
        return frozenset()
