from __future__ import annotations

from pathlib import Path

import pytest

from lab.foundation.errors import LabError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress, StepContext
from lab.operations.context import Lab
from lab.operations.steps import run_steps
from lab.state.records import LabRecord, read_record
from lab.topology.loader import find_topology, load_topology
from lab.topology.planner import make_plan
from tests.stand_in_site import PaperParts


class Recorded:
    """A step that notes its runs, and is done once it ran."""

    def __init__(self, name: str, ran: list[str], *, fails: bool = False) -> None:
        self.name = name
        self._ran = ran
        self._fails = fails

    def done(self, lab: Lab) -> bool:
        return self.name in self._ran

    def run(self, lab: Lab, at: StepContext) -> None:
        if self._fails:
            raise LabError("the cable is cut")
        self._ran.append(self.name)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    plan = make_plan(load_topology(find_topology("underlay-3node")))
    record = LabRecord("a", mode="macvlan", supply="packages", created="")
    folder = LabFolder(tmp_path / "a")
    return Lab(folder, record, plan, SilentProgress(), PaperParts(folder))


def test_steps_run_in_order_and_are_recorded(lab: Lab) -> None:
    ran: list[str] = []
    times = run_steps(lab, [Recorded("boot", ran), Recorded("init", ran)])
    assert ran == ["boot", "init"]
    assert [time.name for time in times] == ["boot", "init"]
    written = read_record(lab.folder)
    assert written is not None
    assert [step.name for step in written.steps] == ["boot", "init"]


def test_after_a_failure_the_same_steps_go_on_where_it_stopped(lab: Lab) -> None:
    ran: list[str] = []
    boot = Recorded("boot", ran)
    with pytest.raises(LabError, match="the cable is cut"):
        run_steps(lab, [boot, Recorded("init", ran, fails=True), Recorded("join", ran)])
    assert ran == ["boot"]
    times = run_steps(lab, [boot, Recorded("init", ran), Recorded("join", ran)])
    assert ran == ["boot", "init", "join"]
    assert [time.name for time in times] == ["init", "join"]
