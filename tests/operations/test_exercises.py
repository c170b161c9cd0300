"""Exercises from their start to their end, on a lab on paper."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lab.exercises.exercise_file import exercise_file_text
from lab.exercises.teacher_key import read_key_file
from lab.operations.keeping.keep import go_back
from lab.state.exercise import note_return, read_exercise
from lab.state.faults import read_faults
from lab.state.records import lab_folder
from tests.operations.lab_with_exercise import SHIPPED, ExerciseLab

START = ("exercise", "start", "coursework-2", "--student", "2023001")
MINE = ("exercise", "start", "large-answers", "--student", "2023001")


@pytest.fixture
def lab(exercise_lab: ExerciseLab) -> ExerciseLab:
    return exercise_lab


def faults_of(lab: ExerciseLab) -> list[str]:
    return [f"{fault.name} on {fault.node}" for fault in read_faults(lab.folder)]


def test_a_start_builds_the_lab_applies_the_objects_and_puts_one_fault_in(lab: ExerciseLab) -> None:
    status, said = lab.run(*START)
    exercise = SHIPPED["coursework-2"]
    assert (status, lab.done[0]) == (0, "up course-exact hybridnet:placement=master")
    assert faults_of(lab) == lab.done[1:]
    assert len(lab.done) == 2
    assert (lab.folder.root / "applied.yaml").read_text() == "".join(exercise.objects)
    calls = (lab.folder.root / "kubectl.calls").read_text().splitlines()
    assert calls[-1].startswith("rollout status deployment/tomcat-app1-underlay --namespace myserver")
    assert all(line in said for line in exercise.text.splitlines())
    assert "Student 2023001, 50 points" in said


def test_a_lab_that_is_there_goes_back_to_the_clean_cluster_in_the_mode(lab: ExerciseLab) -> None:
    lab.run(*MINE)
    assert lab.run("exercise", "stop")[0] == 0
    lab.done.clear()
    assert lab.run("exercise", "start", "two-at-once", "--student", "2023001")[0] == 0
    assert lab.done[0] == "rebuild flannel-vxlan"
    assert faults_of(lab) == lab.done[1:]
    assert len(lab.done) == 3
    record = read_exercise(lab.folder)
    assert record is not None
    assert record.returns == ()


def test_what_was_made_in_a_lab_that_is_there_is_kept_before(lab: ExerciseLab) -> None:
    lab.run(*MINE)
    lab.run("exercise", "stop")
    lab.done.clear()
    lab.made = ("namespace myserver",)
    said = lab.run(*MINE)[1]
    assert lab.done[:2] == ["save undo", "rebuild flannel-vxlan"]
    assert "made in the cluster, and not there afterwards: namespace myserver" in said
    lab.run("exercise", "stop")
    lab.done.clear()
    lab.run(*MINE, "--discard")
    assert lab.done[0] == "rebuild flannel-vxlan"


def test_a_lab_of_another_topology_is_refused(lab: ExerciseLab) -> None:
    lab.run(*MINE, "--name", "a")
    lab.run("exercise", "stop")
    status, said = lab.run(*START, "--name", "a")
    assert status == 2
    assert "was made from another topology than the exercise needs" in said


def test_one_exercise_at_a_time(lab: ExerciseLab) -> None:
    lab.run(*MINE)
    status, said = lab.run("exercise", "start", "two-at-once", "--student", "2023001")
    assert status == 2
    assert "the exercise large-answers of 2023001 runs in the lab underlay-3node already" in said


def test_without_an_exercise_the_commands_say_how_to_start_one(lab: ExerciseLab) -> None:
    lab.run(*MINE)
    lab.run("exercise", "stop")
    for command in ("check", "stop"):
        status, said = lab.run("exercise", command)
        assert status == 2
        assert "no exercise runs in the lab underlay-3node" in said
        assert "lab exercise start FILE --student ID" in said


@pytest.mark.parametrize("student", ["a b", ""])
def test_a_wrong_number_is_refused_before_anything_is_done(lab: ExerciseLab, student: str) -> None:
    status, said = lab.run("exercise", "start", "coursework-1", "--student", student)
    assert (status, lab.done) == (2, [])
    assert "is not a valid student number" in said


def test_a_start_that_was_ended_can_be_repeated_and_is_not_judged_before(lab: ExerciseLab) -> None:
    lab.breaks = KeyboardInterrupt
    assert lab.run(*MINE)[0] != 0
    status, said = lab.run("exercise", "check")
    assert status == 2
    assert "the start of the exercise large-answers never finished" in said
    assert lab.run(*MINE)[0] == 0
    assert lab.done[2] == "rebuild flannel-vxlan"
    record = read_exercise(lab.folder)
    assert record is not None
    assert (record.ready, record.returns) == (True, ())


def test_untouched_it_has_symptoms_and_no_points(lab: ExerciseLab) -> None:
    lab.run(*MINE)
    status, said = lab.run("exercise", "check")
    assert status == 1
    assert "reachability: 1 of 2 fail\n  pod.k8s-node1 to lan-host\n" in said
    assert "data path: 1 of 1 fail\nlan: 1 of 1 fail\n" in said
    assert "The lab is not healthy: 0 of 50 points" in said


def test_mended_by_hand_it_has_all_points(lab: ExerciseLab) -> None:
    lab.run(*MINE)
    lab.wrong.unlink()
    status, said = lab.run("exercise", "check")
    assert (status, said.splitlines()[-1]) == (0, "The lab is healthy, corrected by hand: 50 of 50 points")
    status, said = lab.run("exercise", "check", "--json")
    verdict = json.loads(said[said.index("{") :])
    assert (verdict["points"], verdict["by_hand"], verdict["symptoms"]) == (50, True, [])


def test_brought_back_by_a_snapshot_it_has_none_and_that_is_on_record(lab: ExerciseLab) -> None:
    lab.run(*MINE)
    lab.rebuild()
    status, said = lab.run("exercise", "check")
    assert status == 1
    assert ": the lab went back to the snapshot" in said
    assert said.splitlines()[-1].startswith("The lab is healthy, but not by hand")
    assert said.splitlines()[-1].endswith(": 0 of 50 points")


def test_whatever_goes_back_to_a_snapshot_is_on_record(lab: ExerciseLab) -> None:
    lab.run(*MINE)
    opened = lab.open()
    with pytest.raises(AttributeError, match="revert"):  # the machines on paper end here
        go_back(opened, "mode-flannel-vxlan")
    record = read_exercise(lab.folder)
    assert record is not None
    assert [each.how for each in record.returns] == ["went back to the snapshot mode-flannel-vxlan"]


def test_mended_by_breaking_something_else_the_whole_suite_fails_it(lab: ExerciseLab) -> None:
    lab.run(*MINE)
    lab.wrong.write_text("another thing")
    assert lab.run("exercise", "check")[0] == 1
    lab.wrong.unlink()
    (lab.home / "suite" / "test_nodes.py").write_text("def test_units(): assert False\n")
    status, said = lab.run("exercise", "check")
    assert status == 1
    assert "nodes: 1 of 1 fail" in said
    assert "0 of 50 points" in said


def test_pods_of_the_exercise_that_are_gone_cost_the_points(lab: ExerciseLab) -> None:
    lab.run(*START)
    lab.wrong.unlink()
    (lab.folder.root / "idle").touch()
    status, said = lab.run("exercise", "check")
    assert status == 1
    assert "deployment myserver/tomcat-app1-overlay is not ready" in said


def test_a_cluster_that_is_too_slow_is_not_judged(lab: ExerciseLab) -> None:
    lab.run(*MINE)
    slow = "def pytest_sessionfinish(session): session.exitstatus = 6\n"
    (lab.home / "suite" / "conftest.py").write_text(slow)
    status, said = lab.run("exercise", "check")
    assert status == 6
    assert "Not judged: the cluster was too slow" in said
    assert "points" not in said


def test_a_suite_that_does_not_begin_is_no_verdict(lab: ExerciseLab) -> None:
    lab.run(*MINE)
    (lab.home / "suite" / "conftest.py").write_text("import nothing_of_that_name\n")
    status, said = lab.run("exercise", "check")
    assert status == 1
    assert "the acceptance suite has not come to its end" in said


def test_the_end_brings_the_clean_cluster_and_tells_the_cause(lab: ExerciseLab) -> None:
    lab.run(*MINE)
    lab.done.clear()
    (fault,) = read_faults(lab.folder)
    status, said = lab.run("exercise", "stop")
    assert (status, lab.done) == (0, ["rebuild flannel-vxlan"])
    assert f"It was: {fault.name} on {fault.node}: " in said
    assert (read_exercise(lab.folder), faults_of(lab)) == (None, [])


def test_a_recipe_may_keep_the_cause_to_itself(lab: ExerciseLab) -> None:
    recipe = Path("mine.yaml")
    recipe.write_text(
        "name: mine\ntitle: x\ntext: y\ntopology: underlay-3node\nmode: macvlan\n"
        "faults: [forward-drop]\npoints: 5\nreveal: false\n"
    )
    status, said = lab.run("exercise", "make", "mine.yaml")
    assert status == 0
    assert "wrote mine.exercise: 1 in the pool, 1 for each student\ndigest " in said
    assert lab.run("exercise", "start", "mine.exercise", "--student", "1")[0] == 0
    assert lab.run("exercise", "stop")[1].endswith("the lab is the clean cluster again.\n")


def test_a_file_is_written_where_the_teacher_says(lab: ExerciseLab) -> None:
    assert lab.run("exercise", "make", "two-at-once", "--to", "two.exercise")[0] == 0
    exercise = read_key_file(Path("two-at-once.key")).exercise
    assert replace(exercise, public_key="") == SHIPPED["two-at-once"]
    assert Path("two.exercise").read_text() == exercise_file_text(exercise)
    assert lab.run("exercise", "start", "none.exercise", "--student", "1")[0] == 2


def test_those_of_the_project_are_listed(lab: ExerciseLab) -> None:
    said = lab.run("exercise", "list")[1]
    assert all(name in said for name in SHIPPED)
    assert len(json.loads(lab.run("exercise", "list", "--json")[1])) == 6


def test_a_record_that_was_changed_is_noticed(lab: ExerciseLab) -> None:
    lab.run(*MINE)
    path = lab.folder.exercise
    path.write_text(path.read_text().replace('"sealed": "', '"sealed": "A'))
    status, said = lab.run("exercise", "check")
    assert status == 1
    assert "the record of the exercise large-answers was changed" in said


def test_nothing_is_noted_of_a_lab_without_an_exercise(lab: ExerciseLab) -> None:
    note_return(lab_folder("a"), "went back")
    assert read_exercise(lab_folder("a")) is None
