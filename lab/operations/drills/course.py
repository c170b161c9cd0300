"""The course of a drill: all well, hurt, watched, put right, whole again; and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lab.drills.clock import Clock
from lab.drills.configured import Configured
from lab.drills.drill import Before, Course, Drill, Ground, Mark, Works
from lab.drills.findings import (
    Span,
    changes_of,
    gap_of,
    must_be_gone,
    must_be_stored,
    recovered_after,
    writer_pause,
)
from lab.drills.judgement import Judgement
from lab.drills.observation import CALM, Row, calm, lacks
from lab.drills.report import Report, Times
from lab.drills.verdict import Observed, allowed_gap, judge
from lab.drills.writer import Fate, Write
from lab.foundation.errors import LabError
from lab.foundation.progress import Progress
from lab.foundation.wait import Deadline, NotYetError, TimedOutError, wait_for
from lab.machines.machines import Machines
from lab.nodes.pool import Nodes
from lab.operations.drills.watch import Watch
from lab.state.records import now
from lab.topology.plan import NodePlan, Plan

WELL_SECONDS = 120.0
"""Until a lab that was just saved must be well."""
MORE_SECONDS = 60.0
"""Beyond what is allowed for the API, until all must have recovered by itself."""
WHOLE_SECONDS = 900.0
"""Until every control plane takes part again: an emulated machine boots for minutes."""
LOOK = 0.5
"""Seconds between looks at the rows."""


@dataclass(frozen=True)
class Tested:
    """The drill and the lab that it is run on."""

    drill: Drill
    lab: str
    mode: str
    configured: Configured
    plan: Plan
    nodes: Nodes
    machines: Machines
    works: Works


@dataclass(frozen=True)
class OfWrites:
    """What became of them."""

    wanted: int
    """How many must be stored."""
    lost: Mapping[str, tuple[str, ...] | None]
    forgotten: int
    remembered: int


class Conduct:
    """Runs one drill while the lab is watched."""

    def __init__(self, tested: Tested, watch: Watch, clock: Clock, progress: Progress) -> None:
        self._tested = tested
        self._drill = tested.drill
        self._watch = watch
        self._clock = clock
        self._progress = progress
        self._marks: dict[Mark, float] = {}
        self._claims: list[Judgement] = []
        self._ground = Ground(
            plan=tested.plan,
            nodes=tested.nodes,
            machines=tested.machines,
            move_leader=watch.move_leader,
            mark=self._mark,
            rest=self._rest,
            works=tested.works,
            claim=self._claims.append,
        )

    def run(self, save: Callable[[], None], tell: Callable[[str], None]) -> Report:
        """`save` makes the save point, once the lab is well; `tell` hears which stage begins.

        Raises LabError when the lab is not well: nothing was done then, and no save point made.
        """
        began, started = self._clock.now(), now()
        tell("before")
        self._until_well(began)
        save()
        before = self._until_well(self._clock.now())
        nodes = self._drill.aim(before)
        self._watch.avoid(nodes)
        self._watch.write()
        self._rest(CALM)
        injured = self._clock.now()
        tell("since")
        with self._progress.step(f"{self._drill.name}: {', '.join(node.name for node in nodes)}"):
            self._drill.injure(self._ground, nodes)
        with self._progress.step("observe"):
            self._observe(injured, before, nodes)
        healed = self._clock.now()
        tell("put right")
        with self._progress.step("put it right"):
            self._drill.heal(self._ground, nodes)
        with self._progress.step("until every control plane takes part"):
            whole = self._until_whole(healed)
        if whole:
            self._watch.learn_names()
        self._watch.stop_writing()
        self._rest(CALM)
        ended = self._clock.now()
        return self._report(Times(began, injured, healed, ended), started, before, nodes, whole)

    def _until_well(self, began: float) -> Before:
        with self._progress.step("the lab is well") as at:

            def well() -> None:
                if lacking := lacks(self._watch.rows, began):
                    raise NotYetError(lacking)

            what = "a lab that is well"
            try:
                wait_for(well, what=what, deadline=Deadline(WELL_SECONDS), interval=LOOK, on_wait=at.doing)
            except TimedOutError as error:
                raise LabError(
                    "the lab is not well: no drill was begun",
                    details=error.details,
                    resolution="lab status; if a drill left it so, `lab drill undo` brings it back",
                ) from error
        last = next(row for row in reversed(self._watch.rows) if row.works_without())
        assert last.leader is not None
        assert last.holders is not None
        return Before(self._watch.plan, next(iter(last.holders)), last.leader[0])

    def _observe(self, injured: float, before: Before, nodes: tuple[NodePlan, ...]) -> None:
        """Until it has recovered by itself, or for as long as it is to stay out."""
        drill, configured = self._drill, self._tested.configured
        if drill.course is not Course.RECOVERS:
            self._rest(3 * configured.election + CALM)
            return
        self._rest(drill.detection(configured) + CALM)
        limit = allowed_gap(drill, configured) + MORE_SECONDS

        def recovered() -> None:
            rows = self._watch.rows
            since = [row for row in rows if row.at >= injured]
            if drill.shows is not None and not any(drill.shown_by(row, before, nodes) for row in since):
                raise NotYetError("it has not been seen to happen")
            if not calm(rows, injured, lambda row: self._works(row, nodes)):
                raise NotYetError("it has not recovered")

        self._wait(recovered, limit)

    def _until_whole(self, healed: float) -> bool:
        def whole() -> None:
            if lacking := lacks(self._watch.rows, healed):
                raise NotYetError(lacking)

        return self._wait(whole, WHOLE_SECONDS)

    def _wait(self, condition: Callable[[], None], limit: float) -> bool:
        try:
            wait_for(condition, what="the lab", deadline=Deadline(limit), interval=LOOK)
        except TimedOutError:
            return False
        return True

    def _mark(self, mark: Mark) -> None:
        self._marks[mark] = self._clock.now()

    def _rest(self, seconds: float) -> None:
        """The drill takes that long; nothing is waited for."""
        self._clock.sleep(seconds)

    def _works(self, row: Row, nodes: tuple[NodePlan, ...]) -> bool | None:
        gone = {node.name for node in nodes} if self._drill.takes_nodes else set()
        return row.works_without(gone, split=self._drill.splits)

    def _report(
        self, times: Times, started: str, before: Before, nodes: tuple[NodePlan, ...], whole: bool
    ) -> Report:
        drill, configured = self._drill, self._tested.configured
        rows, writes = self._watch.rows, self._watch.writer.writes
        hurt, back = Span(times.injured, times.healed), Span(times.healed, times.ended)
        api = [row.api for row in rows]
        shown = [row.at for row in rows if row.at >= times.injured and drill.shown_by(row, before, nodes)]
        if drill.course is not Course.RECOVERS:
            judged, out = back, gap_of(api, hurt)
            gap = gap_of([sight for sight in api if sight.at >= back.begin], back)
            pause = writer_pause([write for write in writes if write.ended >= back.begin], back)
            recovered = recovered_after(rows, judged, Row.works_without)
        else:
            judged, out = hurt, None
            gap, pause = gap_of(api, hurt), writer_pause(writes, hurt)
            recovered = recovered_after(rows, judged, lambda row: self._works(row, nodes))
        meanwhile = Span(shown[0], times.healed) if shown else hurt
        of_writes = self._of_writes(writes, times.healed)
        observed = Observed(
            happened=bool(shown),
            out=out,
            written_while_out=_written_in(writes, meanwhile),
            gap=gap,
            pause=pause,
            recovered=recovered,
            whole=whole,
            acknowledged=of_writes.wanted,
            lost=of_writes.lost,
            forgotten=of_writes.forgotten,
            remembered=of_writes.remembered,
            claims=tuple(self._claims),
        )
        return Report(
            drill.name,
            drill.summary,
            self._tested.lab,
            self._tested.mode,
            started,
            tuple(node.name for node in nodes),
            configured,
            drill.detection(configured),
            self._watch.write_every,
            times,
            gap,
            gap if judged is back else gap_of(api, back),
            pause,
            changes_of(rows, times.injured),
            judge(drill, configured, observed),
            rows,
            writes,
        )

    def _of_writes(self, writes: Sequence[Write], healed: float) -> OfWrites:
        """Read all back, from each member of etcd."""
        begins, ends = self._marks.get(Mark.BACKUP_BEGINS), self._marks.get(Mark.BACKUP_ENDS)
        kept = Span(begins, healed) if begins is not None else None
        gone = must_be_gone(writes, Span(ends, healed) if ends is not None else None)
        wanted = must_be_stored(writes, kept)
        stored = self._watch.read_back(wanted)
        lost = {
            node: None if names is None else tuple(sorted(wanted - names)) for node, names in stored.items()
        }
        there = frozenset[str]().union(*(names for names in stored.values() if names is not None))
        return OfWrites(len(wanted), lost, len(gone), len(gone & there))


def _written_in(writes: Iterable[Write], span: Span) -> int:
    """How many were sent and acknowledged in it."""
    within = [write for write in writes if span.holds(write.began) and span.holds(write.ended)]
    return sum(write.fate is Fate.ACKNOWLEDGED for write in within)
