"""Before a lab goes back, what was made in it is told and kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner

from lab.cli.main import cli
from lab.cluster.api import ApiError
from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.machines.machines import MachineState
from lab.operations import rebuild
from lab.operations.context import Lab
from lab.operations.keeping import discarding, snapshots
from lab.operations.keeping.discarding import LISTED, keep_what_was_made
from lab.operations.keeping.snapshots import restore_snapshot, save_snapshot
from lab.state.exercise import ExerciseRecord, write_exercise
from lab.state.records import LabRecord, read_record, save_topology, write_record
from lab.topology.loader import find_topology
from tests.stand_in_site import Here

MADE = ("namespace myserver", "deployment myserver/tomcat")


@dataclass
class SavePoints:
    """Machines that only count."""

    names: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    state: MachineState = MachineState.RUNNING

    def snapshots(self) -> tuple[str, ...]:
        return tuple(self.names)

    def remove_snapshot(self, name: str) -> None:
        self.names.remove(name)
        self.done.append(f"remove {name}")


class Notes(SilentProgress):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


@dataclass
class Scene:
    folder: LabFolder
    machines: SavePoints
    made: tuple[str, ...] | LabError = MADE
    room: bool = True
    notes: Notes = field(default_factory=Notes)

    def keep(self, going_to: str = "") -> None:
        keep_what_was_made(self.folder, "lab rebuild", self.notes, going_to=going_to)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A lab that runs, in which two objects were made."""
    folder = LabFolder(tmp_path / "labs" / "a")
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    save_topology(folder, find_topology("underlay-3node"))
    record = LabRecord("a", mode="macvlan", supply="packages", created="", accelerator="qemu", ready=True)
    write_record(folder, record)
    folder.kubeconfig.touch()
    scene = Scene(folder, SavePoints(["cluster", "mode-macvlan"]))

    def made(api: object) -> tuple[str, ...]:
        if isinstance(scene.made, LabError):
            raise scene.made
        return scene.made

    def take(lab: Lab, name: str) -> None:
        scene.machines.names.append(name)
        scene.machines.done.append(f"save {name}")

    states = property(lambda lab: scene.machines.state is MachineState.RUNNING)
    monkeypatch.setattr(Lab, "machines", property(lambda lab: scene.machines))
    monkeypatch.setattr(Lab, "all_running", states)
    monkeypatch.setattr(Lab, "site", property(lambda lab: Here(lab.folder)))
    monkeypatch.setattr(Lab, "api", property(lambda lab: None))
    monkeypatch.setattr(discarding, "made_by_users", made)
    monkeypatch.setattr(discarding, "take_snapshot", take)
    monkeypatch.setattr(discarding, "has_room", lambda lab: scene.room)
    monkeypatch.setattr(snapshots, "go_back", lambda lab, name: scene.machines.done.append(f"to {name}"))
    monkeypatch.setattr(snapshots, "faults_after_revert", lambda lab, faults: None)
    for module in (rebuild, snapshots):
        monkeypatch.setattr(module, "run_steps", lambda lab, steps: ())
    monkeypatch.setattr(rebuild, "summary_of", lambda lab, times: None)
    return scene


def test_what_was_made_is_told_and_kept(scene: Scene) -> None:
    scene.keep()
    assert scene.notes.said == [
        "made in the cluster, and not there afterwards: namespace myserver, deployment myserver/tomcat",
        "kept before lab rebuild: `lab snapshot restore undo` brings all of it back",
    ]
    assert scene.machines.done == ["save undo"]
    record = read_record(scene.folder)
    assert record is not None
    (kept,) = record.snapshots
    assert (kept.name, kept.mode, kept.ready, kept.note) == (
        "undo",
        "macvlan",
        True,
        "taken by lab before lab rebuild",
    )


def test_the_one_of_before_makes_room(scene: Scene) -> None:
    scene.keep()
    scene.keep()
    assert scene.machines.done == ["save undo", "remove undo", "save undo"]
    record = read_record(scene.folder)
    assert record is not None
    assert len(record.snapshots) == 1


def test_a_clean_cluster_costs_nothing(scene: Scene) -> None:
    scene.made = ()
    scene.keep()
    assert (scene.notes.said, scene.machines.done) == ([], [])


def test_long_lists_are_cut(scene: Scene) -> None:
    scene.made = tuple(f"pod default/p{number}" for number in range(LISTED + 3))
    scene.keep()
    assert scene.notes.said[0].endswith(f"pod default/p{LISTED - 1}, and 3 more")


def test_a_cluster_that_does_not_answer_is_kept_as_it_is(scene: Scene) -> None:
    scene.made = ApiError("list the pods: no answer", "timed out")
    scene.keep()
    assert "is not known, as it does not answer: list the pods: no answer" in scene.notes.said[0]
    assert scene.machines.done == ["save undo"]


def test_without_room_nothing_is_discarded(scene: Scene) -> None:
    scene.room = False
    with pytest.raises(LabError, match="no room for a save point") as caught:
        scene.keep()
    assert "--discard" in str(caught.value)


def test_machines_that_do_not_run_cannot_be_kept(scene: Scene) -> None:
    scene.machines.state = MachineState.STALLED
    scene.keep()
    assert (scene.notes.said, scene.machines.done) == ([], [])


def test_during_an_exercise_nothing_is_put_on_record(scene: Scene) -> None:
    write_exercise(scene.folder, ExerciseRecord("x", "1", "", "", ""))
    scene.keep()
    assert scene.machines.done == []
    assert scene.notes.said[0].startswith("an exercise runs: what you made is discarded")


def test_going_back_to_undo_keeps_redo(scene: Scene) -> None:
    scene.keep()
    restore_snapshot(scene.folder, "undo", scene.notes, discard=False)
    restore_snapshot(scene.folder, "redo", scene.notes, discard=False)
    assert scene.machines.done == ["save undo", "save redo", "to undo", "remove undo", "save undo", "to redo"]


def test_a_snapshot_that_is_not_there_is_refused_before_anything_is_kept(scene: Scene) -> None:
    with pytest.raises(WrongUseError, match="has no snapshot mine"):
        restore_snapshot(scene.folder, "mine", scene.notes, discard=False)
    assert scene.machines.done == []


def test_a_mode_that_is_not_there_is_refused_before_anything_is_kept(scene: Scene) -> None:
    with pytest.raises(WrongUseError, match="macvlam"):
        rebuild.rebuild_lab(scene.folder, "macvlam", scene.notes, discard=False)
    assert scene.machines.done == []


@pytest.mark.parametrize("name", ["undo", "redo"])
def test_their_names_are_not_for_users(name: str, scene: Scene) -> None:
    with pytest.raises(WrongUseError, match="reserved"):
        save_snapshot(scene.folder, name, "", scene.notes)


@pytest.mark.parametrize(
    ("words", "before"),
    [
        (("rebuild",), "lab rebuild"),
        (("snapshot", "restore", "cluster"), "lab snapshot restore cluster"),
        (("test", "--mode", "ipvlan-l2"), "lab test --mode"),
    ],
)
def test_the_commands_keep_unless_told_to_discard(
    words: tuple[str, ...], before: str, scene: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lab.operations.testing.rebuild_lab", _fails)
    monkeypatch.setattr("lab.cli.lifecycle.show_summary", lambda summary: None)
    CliRunner().invoke(cli, [*words, "--discard"])
    assert "save undo" not in scene.machines.done
    CliRunner().invoke(cli, list(words))
    assert "save undo" in scene.machines.done
    record = read_record(scene.folder)
    assert record is not None
    assert [each.note for each in record.snapshots] == [f"taken by lab before {before}"]


def _fails(folder: LabFolder, mode: str, progress: SilentProgress) -> None:
    raise LabError("it does not come up", resolution="none")
