"""Running a drill: refused where it makes no sense, a save point, the course, the report."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from lab.drills.clock import HostClock
from lab.drills.configured import configured_of
from lab.drills.drill import Drill
from lab.drills.live import live_line
from lab.drills.registry import DRILLS, drill_named
from lab.drills.report import Report
from lab.drills.sampler import NotAskedError, SilentError
from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import Progress, SilentProgress
from lab.machines.machines import MachineState
from lab.operations.context import Lab
from lab.operations.drills.course import Conduct, Tested
from lab.operations.drills.watch import Watch
from lab.operations.drills.works import LabWorks
from lab.operations.exercises.during_exercise import refuse_during_exercise
from lab.operations.keeping.discarding import BEFORE_DRILL, retake_snapshot
from lab.operations.keeping.keep import has_room
from lab.operations.keeping.snapshots import restore_snapshot
from lab.state.records import locked


@dataclass(frozen=True)
class DrillRow:
    """A drill as the lab at hand sees it."""

    name: str
    summary: str
    unfit: str
    """Why it cannot be run on this lab; empty when it can."""

    def as_json(self) -> dict[str, str]:
        return dataclasses.asdict(self)


def drill_rows(folder: LabFolder) -> tuple[DrillRow, ...]:
    """All drills; asks no node."""
    plan = Lab.open(folder, SilentProgress()).plan
    return tuple(DrillRow(drill.name, drill.summary, drill.unfit(plan)) for drill in DRILLS)


def run_drill(folder: LabFolder, name: str, write_every: float | None, progress: Progress) -> Report:
    """Save a lab that is well, run the drill on it, put it right; what was observed, and the verdict.

    `write_every` is in seconds, by default what the lab bears. Raises WrongUseError for a drill that there is
    not or that the topology cannot have, and during an exercise; LabError when the lab is not up, not well or
    cannot be saved, and when it cannot be put right: the save point is still there then.
    """
    drill = drill_named(name)
    refuse_during_exercise(folder, "break what the student repairs")
    with locked(folder):
        lab = Lab.open(folder, progress)
        _require_fit(lab, drill)
        return _run(lab, drill, write_every, progress)


def undo_drill(folder: LabFolder, progress: Progress) -> str:
    """Bring the lab back to before its last drill; the note of that save point.

    Raises WrongUseError when there is none.
    """
    refuse_during_exercise(folder, "go back to before it")
    lab = Lab.open(folder, progress)
    lab.require_running()
    saved = next((each for each in lab.record.snapshots if each.name == BEFORE_DRILL), None)
    if saved is None or BEFORE_DRILL not in lab.machines.snapshots():
        raise WrongUseError(
            f"no drill was run in the lab {folder.name}, or its save point was removed",
            resolution="lab snapshot list",
        )
    restore_snapshot(folder, BEFORE_DRILL, progress)
    return saved.note


def _require_fit(lab: Lab, drill: Drill) -> None:
    if why := drill.unfit(lab.plan):
        raise WrongUseError(
            f"the drill {drill.name} cannot be run in the lab {lab.folder.name}: {why}",
            resolution="lab up --topology ha-3node",
        )
    lab.require_up()
    others = {
        node: state for node, state in lab.machine_states().items() if state is not MachineState.RUNNING
    }
    if others:
        raise LabError(
            f"not all machines of the lab {lab.folder.name} are running",
            details=", ".join(f"{node} is {state.value}" for node, state in others.items()),
            resolution="`lab drill undo`, if a drill left it so; else `lab up` again",
        )


def _save(lab: Lab, drill: Drill) -> None:
    if not has_room(lab):
        raise LabError(
            "the disk has no room for a save point, and no drill is run without one",
            resolution="free some space, or lab snapshot remove",
        )
    with lab.progress.step(f"save {BEFORE_DRILL}"):
        retake_snapshot(lab, BEFORE_DRILL, f"taken by lab before lab drill run {drill.name}")


def _run(lab: Lab, drill: Drill, write_every: float | None, progress: Progress) -> Report:
    clock = HostClock()
    stage, since = "before", clock.now()

    def begin(name: str) -> None:
        nonlocal stage, since
        stage, since = name, clock.now()

    def on_tick(_: float) -> None:
        rows = watch.rows[-2:-1]  # what was asked a second ago: most of it is answered
        for row in rows:
            when = f"{stage} {max(0.0, row.at - since):3.0f} s"
            progress.note(live_line(row, when, watch.writer.acknowledged))

    watch = Watch(lab, clock, on_tick, write_every)
    tested = Tested(
        drill=drill,
        lab=lab.folder.name,
        mode=lab.record.mode,
        configured=configured_of(lab.settings, lab.plan.load_balancer),
        plan=lab.plan,
        nodes=lab.nodes,
        machines=lab.machines,
        works=LabWorks(lab),
    )
    with watch:
        report = Conduct(tested, watch, clock, progress).run(lambda: _save(lab, drill), begin)
        try:
            watch.clean()
        except (SilentError, NotAskedError) as error:
            progress.note(f"what the drill wrote is still in {watch.writer.namespace}: {error}")
    return report
