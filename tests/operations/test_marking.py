"""`lab mark`: forty hand-ins become one CSV file; scripts are replayed on a lab on paper."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from lab.exercises.exercise import drawn
from lab.exercises.handin import HandIn, handin_text
from lab.exercises.teacher_key import TeacherKey, read_key_file
from lab.operations.exercises.replaying import in_turn
from lab.state.records import existing_labs
from lab.topology.plan import Plan
from tests.exercises.handins import WENT_BACK, handin_of
from tests.operations.lab_with_exercise import SHIPPED, ExerciseLab

MENDS = 'echo "on $NODE"; rm -f "$WRONG"\n'
BREAKS = 'echo something else >"$WRONG"\n'
MARK = ("mark", "handins", "--key", "large-answers.key", "--csv", "marks.csv")
REPLAY = (*MARK, "--replay", "--minutes", "1")
KILLED_AT = 7
"""Of the scripts put on nodes, three for each replay."""


@pytest.fixture
def lab(exercise_lab: ExerciseLab) -> ExerciseLab:
    """The teacher's machine, with no lab on it."""
    assert exercise_lab.run("exercise", "make", "large-answers")[0] == 0
    Path("handins").mkdir()
    return exercise_lab


def key() -> TeacherKey:
    return read_key_file(Path("large-answers.key"))


def put(handin: HandIn, name: str | None = None) -> Path:
    path = Path("handins") / (name or f"{handin.student}.handin")
    path.parent.mkdir(exist_ok=True)
    path.write_text(handin_text(handin, key().exercise))
    return path


def rows() -> dict[str, dict[str, str]]:
    with Path("marks.csv").open(newline="") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def test_forty_hand_ins_become_one_csv(lab: ExerciseLab) -> None:
    students = [str(2023001 + each) for each in range(34)]
    for number, student in enumerate(students):
        healthy, returns = number % 4 != 0, [WENT_BACK] if number % 4 == 1 else []
        put(handin_of(student, healthy=healthy, returns=returns), f"{student}/a.handin")
    tampered = put(handin_of("2024001"))
    text = json.loads(tampered.read_text())
    tampered.write_text(json.dumps({**text, "box": text["box"][:-8] + "AAAAAAA="}))
    swapped = put(handin_of("2024002"))
    swapped.write_text(swapped.read_text().replace("2024002", "2024003"))
    foreign = TeacherKey.new(SHIPPED["coursework-1"])
    Path("handins/foreign.handin").write_text(handin_text(handin_of("2024004"), foreign.exercise))
    own = TeacherKey.new(key().exercise)
    Path("handins/own.handin").write_text(handin_text(handin_of("2024005"), own.exercise))
    Path("handins/again.handin").write_text(Path("handins/2023003/a.handin").read_text())
    Path("handins/photo.handin").write_bytes(b"\xff\xd8" * 1000)
    Path("handins/notes.txt").write_text("not asked for")
    status, said = lab.run(*MARK)
    assert status == 0
    assert "wrote marks.csv: 40 rows: 1 duplicate, 2 foreign, 1 no hand-in, 34 ok, 2 tampered" in said
    assert "1 other files are no hand-ins" in said
    table = rows()
    for number, student in enumerate(students):
        row = table[f"{student}/a.handin"]
        if student == "2023003":
            continue
        assert row["points"] == ("0" if number % 4 < 2 else "50")
        assert row["was"] == " ".join(map(str, drawn(key().exercise, student)))
    assert table["2024001.handin"]["status"] == table["2024002.handin"]["status"] == "tampered"
    assert table["foreign.handin"]["note"] == "of the exercise coursework-1"
    assert table["own.handin"]["note"] == "made with the file of another key"
    assert table["photo.handin"]["status"] == "no hand-in"
    one, other = table["2023003/a.handin"], table["again.handin"]
    assert sorted((one["status"], other["status"])) == ["duplicate", "ok"]
    assert sorted((one["points"], other["points"])) == ["0", "50"]
    assert not [each for each in table.values() if each["status"] != "ok" and each["points"] != "0"]
    assert sorted(path.name for path in Path.cwd().iterdir()) == [
        *("handins", "large-answers.exercise", "large-answers.key", "marks.csv")
    ]


def six() -> dict[str, str]:
    """Hand-ins with scripts, and the points that each is worth."""
    scripts = {
        "2023001": (MENDS, "50"),
        "2023002": ("true\n", "0"),
        "2023003": (BREAKS, "0"),
        "2023004": (MENDS + "exit 3\n", "50"),
        "2023005": (MENDS, "0"),
        "2023006": ('[ "$NODE" != k8s-node2 ] || rm "$WRONG"\n', "50"),
    }
    for student, (script, _) in scripts.items():
        returns = [WENT_BACK] if student == "2023005" else []
        put(handin_of(student, script=script, returns=returns))
    put(handin_of("2023007"))
    return {f"{student}.handin": points for student, (_, points) in scripts.items()}


def run_until_killed(lab: ExerciseLab) -> None:
    put_so_far = []

    def count(node: str) -> None:
        put_so_far.append(node)
        if len(put_so_far) == KILLED_AT:
            os.kill(os.getpid(), signal.SIGKILL)

    lab.scripts_put = count
    lab.run(*REPLAY)


def test_six_replays_one_killed_in_the_middle_and_gone_on_with(lab: ExerciseLab) -> None:
    points = six()
    child = multiprocessing.get_context("fork").Process(target=run_until_killed, args=(lab,))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    done = json.loads(Path("marks.csv.state").read_text())["replays"]
    assert len(done) == 2
    assert [row["replay"] for row in rows().values()].count("not replayed yet") == 4
    assert [folder.name for folder in existing_labs()] == ["mark-large-answers"]
    nodes: list[str] = []
    lab.scripts_put = nodes.append
    status, said = lab.run(*REPLAY)
    assert status == 0
    assert "4 replayed now" in said
    assert len(nodes) == 3 + 1 + 3 + 3
    assert json.loads(Path("marks.csv.state").read_text())["replays"].items() > done.items()
    table = rows()
    assert {name: table[name]["points"] for name in points} == points
    assert (table["2023007.handin"]["points"], table["2023007.handin"]["claimed"]) == ("0", "50")
    assert table["2023007.handin"]["replay"] == "no script to replay"
    assert "script: exit status 3 on k8s-master1" in table["2023004.handin"]["replay"]
    assert "not healthy" in table["2023003.handin"]["replay"]
    # Nothing is left, and nothing is done again.
    assert existing_labs() == ()
    nodes.clear()
    assert "0 replayed now" in lab.run(*REPLAY)[1]
    assert (nodes, rows()) == ([], table)
    assert lab.run(*MARK)[0] == 0
    assert rows() == table


def test_every_replay_has_the_fault_of_its_student_in_a_clean_lab(lab: ExerciseLab) -> None:
    six()
    lab.run(*REPLAY)
    assert lab.done[0] == "up mark-large-answers flannel-vxlan"
    assert lab.done[1::2][:1] == [f"{each.fault} on {each.node}" for each in drawn(key().exercise, "2023001")]
    assert lab.done.count("rebuild flannel-vxlan") == 5
    faults = [each for each in lab.done if " on " in each]
    assert faults == [
        f"{entry.fault} on {entry.node}"
        for student in map(str, range(2023001, 2023007))
        for entry in drawn(key().exercise, student)
    ]


def test_a_script_that_does_not_end_is_ended(lab: ExerciseLab, monkeypatch: pytest.MonkeyPatch) -> None:
    put(handin_of("2023001", script="echo before; sleep 600\n"))
    monkeypatch.setattr("lab.operations.exercises.replaying.MINUTE", 1.5)
    assert lab.run(*REPLAY)[0] == 0
    row = rows()["2023001.handin"]
    assert (row["points"], "out of time on k8s-master1" in row["replay"]) == ("0", True)
    (done,) = json.loads(Path("marks.csv.state").read_text())["replays"].values()
    assert done["output"] == {"k8s-master1": "before\n"}


def test_what_a_lab_could_not_be_made_for_is_tried_again(lab: ExerciseLab) -> None:
    put(handin_of("2023001", script=MENDS))
    put(handin_of("2023002", script=MENDS))
    slow = lab.home / "suite" / "conftest.py"
    slow.write_text("def pytest_sessionfinish(session): session.exitstatus = 6\n")
    assert "0 replayed now" in lab.run(*REPLAY)[1]
    assert {row["replay"] for row in rows().values()} == {
        "not replayed: not judged: the cluster was too slow"
    }
    slow.unlink()
    assert "2 replayed now" in lab.run(*REPLAY)[1]
    assert {row["points"] for row in rows().values()} == {"50"}


def test_a_lab_that_does_not_go_back_is_made_anew(lab: ExerciseLab) -> None:
    six()
    lab.breaks = OSError
    assert "6 replayed now" in lab.run(*REPLAY)[1]
    assert [each for each in lab.done if each.startswith("up ")] == [
        "up mark-large-answers flannel-vxlan"
    ] * 2


def test_a_lab_of_somebody_else_is_left_alone(lab: ExerciseLab) -> None:
    lab.run("exercise", "start", "large-answers", "--student", "1", "--name", "mark-large-answers")
    put(handin_of("2023001", script=MENDS))
    status, said = lab.run(*REPLAY)
    assert status == 2
    assert "there is already a lab mark-large-answers" in said
    assert lab.run(*REPLAY, "--name", "other")[0] == 0
    assert [folder.name for folder in existing_labs()] == ["mark-large-answers"]


def test_replays_of_another_key_or_time_are_not_mixed(lab: ExerciseLab) -> None:
    six()
    lab.run(*REPLAY)
    status, said = lab.run(*MARK, "--replay", "--minutes", "5")
    assert status == 2
    assert "scripts that got 1 minutes, not 5" in said
    Path("large-answers.key").unlink()
    lab.run("exercise", "make", "large-answers")
    status, said = lab.run(*MARK)
    assert status == 2
    assert "tells of replays with another key" in said


def test_what_is_on_no_node_is_not_replayed(lab: ExerciseLab) -> None:
    lab.run("exercise", "make", "coursework-3")
    in_the_lan = read_key_file(Path("coursework-3.key"))
    Path("handins/a.handin").write_text(handin_text(handin_of("1", script=MENDS), in_the_lan.exercise))
    words = ("mark", "handins", "--key", "coursework-3.key", "--csv", "marks.csv", "--replay")
    assert lab.run(*words)[0] == 0
    row = rows()["a.handin"]
    assert (row["points"], row["replay"].startswith("not replayed: what was wrong is on no node")) == (
        "50",
        True,
    )
    assert lab.done == []


def test_an_entity_bomb_is_no_report(lab: ExerciseLab) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbb">]><testsuites>&b;</testsuites>'
    put(replace(handin_of("2023001"), after=bomb))
    lab.run(*MARK)
    row = rows()["2023001.handin"]
    assert (row["failed_after"], row["points"]) == ("no report", "0")
    assert row["note"] == "it says healthy, and its report does not"


@pytest.mark.parametrize("where", ["empty", "nowhere"])
def test_a_folder_without_hand_ins_is_refused(where: str, lab: ExerciseLab) -> None:
    Path("empty").mkdir()
    assert lab.run("mark", where, *MARK[2:])[0] == 2
    assert not Path("marks.csv").exists()


def test_a_script_runs_on_control_planes_first_whatever_the_topologys_order(plan: Plan) -> None:
    workers_first = replace(plan, nodes=tuple(reversed(plan.nodes)))
    assert workers_first.nodes[0].name == "k8s-node2"
    assert [node.name for node in in_turn(workers_first)] == ["k8s-master1", "k8s-node2", "k8s-node1"]
