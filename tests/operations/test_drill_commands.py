"""When drills are refused, and the way back; the lab is on paper."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.machines.machines import MachineState
from lab.operations.context import Lab
from lab.operations.drills import running
from lab.operations.drills.running import drill_rows, run_drill, undo_drill
from lab.operations.keeping.discarding import BEFORE_DRILL
from lab.operations.keeping.snapshots import _check_name
from lab.state.exercise import ExerciseRecord, write_exercise
from lab.state.records import LabRecord, SnapshotRecord, save_topology, write_record
from lab.topology.loader import find_topology

QUIET = SilentProgress()
RUNNING = {f"k8s-master{number}": MachineState.RUNNING for number in (1, 2, 3)}


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The drills that were begun."""
    names: list[str] = []
    monkeypatch.setattr(running, "_run", lambda lab, drill, *_: names.append(drill.name))
    return names


def lab_of(root: Path, topology: str) -> LabFolder:
    folder = LabFolder(root / "a")
    save_topology(folder, find_topology(topology))
    write_record(folder, LabRecord("a", mode="flannel-vxlan", supply="packages", created=""))
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabFolder:
    """A lab with three control planes that is up, as far as it says."""
    made = lab_of(tmp_path, "ha-3node")
    made.kubeconfig.write_text("")
    states = RUNNING
    monkeypatch.setattr(Lab, "require_running", lambda _: None)
    monkeypatch.setattr(Lab, "machine_states", lambda _: states)
    return made


def with_states(monkeypatch: pytest.MonkeyPatch, **states: MachineState) -> None:
    named = {name.replace("_", "-"): state for name, state in states.items()}
    monkeypatch.setattr(Lab, "machine_states", lambda _: {**RUNNING, **named})


def refused(folder: LabFolder, begun: list[str], name: str = "power-off") -> str:
    with pytest.raises(LabError) as caught:
        run_drill(folder, name, None, QUIET)
    assert begun == []
    return str(caught.value)


def test_a_lab_that_can_have_a_drill(folder: LabFolder, begun: list[str]) -> None:
    run_drill(folder, "power-off", None, QUIET)
    assert begun == ["power-off"]
    assert {row.unfit for row in drill_rows(folder)} == {""}


def test_one_control_plane_has_no_drill(tmp_path: Path, begun: list[str]) -> None:
    folder = lab_of(tmp_path, "underlay-3node")
    assert "the topology has one control plane" in refused(folder, begun)
    assert {row.unfit for row in drill_rows(folder)} == {"the topology has one control plane"}


def test_a_drill_that_there_is_not_is_refused(folder: LabFolder, begun: list[str]) -> None:
    assert "there is no drill power" in refused(folder, begun, "power")


def test_a_lab_that_does_not_run(
    folder: LabFolder, begun: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_states(monkeypatch, k8s_master2=MachineState.OFF)
    assert "k8s-master2 is off" in refused(folder, begun)
    with_states(
        monkeypatch, **dict.fromkeys(("k8s_master1", "k8s_master2", "k8s_master3"), MachineState.PAUSED)
    )
    assert "is paused" in refused(folder, begun)
    folder.kubeconfig.unlink()
    with_states(monkeypatch)
    assert "is not up" in refused(folder, begun)
    monkeypatch.undo()
    assert "is not running" in refused(folder, begun)


def test_an_exercise_is_not_disturbed(folder: LabFolder, begun: list[str]) -> None:
    write_exercise(
        folder, ExerciseRecord("coursework-1", "1", "digest", "sealed", "2024-01-01T00:00:00+00:00")
    )
    assert "the exercise coursework-1 runs" in refused(folder, begun)
    with pytest.raises(WrongUseError, match="the exercise coursework-1 runs"):
        undo_drill(folder, QUIET)


class Kept:
    """The machines of a lab with these snapshots."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def snapshots(self) -> tuple[str, ...]:
        return self.names


def test_undo_goes_back_to_the_save_point_of_the_last_drill(
    folder: LabFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    restored: list[str] = []
    monkeypatch.setattr(running, "restore_snapshot", lambda folder, name, progress: restored.append(name))
    monkeypatch.setattr(Lab, "machines", Kept())
    with pytest.raises(WrongUseError, match="no drill was run in the lab a"):
        undo_drill(folder, QUIET)
    saved = SnapshotRecord(BEFORE_DRILL, "flannel-vxlan", ready=True, made="", note="before power-off")
    record = LabRecord("a", mode="flannel-vxlan", supply="packages", created="", snapshots=(saved,))
    write_record(folder, record)
    with pytest.raises(WrongUseError, match="its save point was removed"):
        undo_drill(folder, QUIET)
    monkeypatch.setattr(Lab, "machines", Kept(BEFORE_DRILL))
    assert undo_drill(folder, QUIET) == "before power-off"
    assert restored == [BEFORE_DRILL]


def test_the_name_of_that_save_point_is_nobody_elses() -> None:
    with pytest.raises(WrongUseError, match="reserved"):
        _check_name(BEFORE_DRILL)
