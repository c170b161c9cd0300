"""Back to a clean cluster, and labs that stand still."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lab.foundation.paths import LabFolder
from lab.foundation.progress import Progress, StepContext
from lab.operations.context import Lab
from lab.operations.doors.node_proxies import NodeProxies
from lab.operations.doors.pull_through import ThroughOpen
from lab.operations.faults import faults_after_revert
from lab.operations.images import KeptImages
from lab.operations.keeping.discarding import keep_what_was_made
from lab.operations.keeping.keep import CLUSTER_SNAPSHOT, bring_mode, go_back, mode_snapshot
from lab.operations.keeping.leap import after_leap
from lab.operations.steps import run_steps
from lab.operations.up import UpSummary, summary_of
from lab.operations.up_order import BROUGHT_BACK, KEEP, OF_MODE, POD_NETWORK
from lab.state.records import locked
from lab.topology.mode_choice import ModeChoice


@dataclass(frozen=True)
class GoBack:
    """All nodes as they were at the instant of the snapshot."""

    snapshot: str
    plugins: Mapping[str, str] | None = None
    """Of QEMU's emulator, by node."""

    @property
    def name(self) -> str:
        return f"back to the snapshot {self.snapshot}"

    def done(self, lab: Lab) -> bool:
        return False

    def run(self, lab: Lab, at: StepContext) -> None:
        go_back(lab, self.snapshot, self.plugins)
        faults_after_revert(lab, ())


def rebuild_lab(
    folder: LabFolder, mode: str | None, progress: Progress, *, discard: bool = True
) -> UpSummary:
    """Go back to the clean cluster in the mode, by default the one the lab has.

    In a mode for the first time, the lab takes the snapshot of that mode from the cache if a lab of the same
    cluster has left one there. Without one it goes back to the cluster without pod network, installs the
    mode, and keeps it in the cache.

    Without `discard`, what users have made is told and kept before. Raises LabError when the lab has no such
    snapshot or what was made cannot be kept, WrongUseError when the mode cannot run in it.
    """
    if not discard:
        if mode is not None:
            Lab.open(folder, progress).require_able(ModeChoice.parse(mode))
        keep_what_was_made(folder, "lab rebuild", progress)
    with locked(folder):
        lab = Lab.open(folder, progress)
        lab.require_running()
        lab.change_mode(ModeChoice.parse(mode or lab.record.mode))
        before = run_steps(lab, (OF_MODE,))
        if mode_snapshot(lab.plan.choice) in lab.machines.snapshots() or bring_mode(lab):
            times = run_steps(lab, (GoBack(mode_snapshot(lab.plan.choice)), *BROUGHT_BACK))
        else:
            times = run_steps(lab, (GoBack(CLUSTER_SNAPSHOT), *POD_NETWORK, KEEP))
        times += run_steps(lab, (KeptImages(), ThroughOpen(if_open=True), NodeProxies()))
        return summary_of(lab, (*before, *times))


def pause_lab(folder: LabFolder, progress: Progress) -> None:
    """Stop all virtual CPUs of the lab. Raises LabError when it does not run."""
    with locked(folder):
        lab = Lab.open(folder, progress)
        lab.require_running()
        with progress.step(f"pause {folder.name}"):
            lab.machines.pause()


def resume_lab(folder: LabFolder, progress: Progress) -> None:
    """Let a paused lab go on. Raises LabError when its machines are gone."""
    with locked(folder):
        lab = Lab.open(folder, progress)
        lab.require_running()
        with progress.step(f"resume {folder.name}"):
            after_leap(lab, lab.machines.resume())
