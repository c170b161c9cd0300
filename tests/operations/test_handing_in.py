"""`lab handin`, on a lab on paper."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.exercises.handin import Found, HandIn, read_handin
from lab.exercises.teacher_key import read_key_file
from lab.operations.suite_page import Outcome, checks_of
from lab.state.exercise import read_exercise
from tests.operations.lab_with_exercise import ExerciseLab

START = ("exercise", "start", "large-answers.exercise", "--student", "2023001")
PRIVATE = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIAAAAAAAAAAAAAAAAAAAAAAA\n-----END EC PRIVATE KEY-----\n"


@pytest.fixture
def lab(exercise_lab: ExerciseLab) -> ExerciseLab:
    """An exercise was started from a teacher's file, and its cause is described in report.md."""
    assert exercise_lab.run("exercise", "make", "large-answers")[0] == 0
    assert exercise_lab.run(*START)[0] == 0
    Path("report.md").write_text("# What I saw\n")
    return exercise_lab


def opened(name: str = "large-answers-2023001.handin") -> HandIn:
    return read_handin(Path(name), read_key_file(Path("large-answers.key")))


def failures(junit: str) -> int:
    return sum(check.outcome is Outcome.FAILED for check in checks_of(junit))


def test_it_holds_what_was_found_and_both_reports(lab: ExerciseLab) -> None:
    lab.run("exercise", "check")
    lab.wrong.unlink()
    Path("fix.sh").write_text("ip link set cni0 mtu 1450\r\n")
    found = ("--found", "k8s-node2", "its MTU is too large", "--found", "cluster", "and another")
    status, said = lab.run("handin", "report.md", "--script", "fix.sh", *found)
    assert status == 0
    assert "Healthy and by hand: yes" in said
    assert "wrote large-answers-2023001.handin, " in said
    handin = opened()
    assert (handin.student, handin.report, handin.script) == (
        "2023001",
        "# What I saw\n",
        "ip link set cni0 mtu 1450\n",
    )
    assert handin.found == (Found("k8s-node2", "its MTU is too large"), Found("cluster", "and another"))
    assert (failures(handin.before) > 0, failures(handin.after), handin.claim.healthy) == (True, 0, True)
    assert {"report", "script", "before", "after", "plan", "box"} == set(handin.digests)
    node = handin.nodes[0]
    assert (node.name, node.kubelet) == ("k8s-master1", "Kubernetes v1.24.10")
    assert len(node.boot) == 36
    assert node.up_seconds > 0


def test_a_start_from_a_teachers_file_says_how_to_hand_in(exercise_lab: ExerciseLab) -> None:
    exercise_lab.run("exercise", "make", "large-answers")
    assert "lab handin REPORT.md" in exercise_lab.run(*START)[1]
    exercise_lab.run("exercise", "stop")
    said = exercise_lab.run("exercise", "start", "large-answers", "--student", "1")[1]
    assert "lab handin" not in said


def test_untouched_it_claims_nothing_and_the_first_check_is_kept(lab: ExerciseLab) -> None:
    assert lab.run("handin", "report.md")[1].count("Healthy and by hand: no") == 1
    first = opened()
    assert (first.claim.healthy, first.script, first.before) == (False, "", first.after)
    lab.wrong.unlink()
    lab.run("handin", "report.md")
    assert opened().before == first.before


def test_a_lab_that_went_back_says_so(lab: ExerciseLab) -> None:
    lab.rebuild()
    assert "Healthy and by hand: no" in lab.run("handin", "report.md")[1]
    claim = opened().claim
    assert claim.healthy
    assert [each.how for each in claim.returns] == ["went back to the snapshot"]


def test_secrets_of_the_lab_are_left_out(lab: ExerciseLab) -> None:
    lab.folder.kubeconfig.write_text("token: abcdefghijklmnop\n")
    Path("report.md").write_text(f"I saw {PRIVATE} and abcdefghijklmnop\n")
    assert "2 secrets left out" in lab.run("handin", "report.md")[1]
    assert opened().report == "I saw [left out]\n and [left out]\n"
    Path("fix.sh").write_text("echo abcdefghijklmnop\n")
    status, said = lab.run("handin", "report.md", "--script", "fix.sh")
    assert status == 2
    assert "has a key or token of this lab in it" in said


def test_it_belongs_to_the_user_who_called(lab: ExerciseLab, given_to_caller: list[Path]) -> None:
    lab.run("handin", "report.md", "--to", "mine.handin")
    assert Path("mine.handin").resolve() in given_to_caller


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--found", "k8s-node9", "x"), "has no node k8s-node9"),
        (("--found", "k8s-node1", " "), "the cause on k8s-node1 has 0 characters"),
        (("--to", "nowhere/a.handin"), "there is no folder nowhere"),
        (("--script", "empty.sh"), "the script empty.sh is empty"),
        (("--script", "large.sh"), "the script large.sh is larger than 20 KiB"),
        (("--script", "picture.sh"), "the script picture.sh is no text"),
    ],
)
def test_what_cannot_be_handed_in_is_refused_before_the_suite(
    words: tuple[str, ...], why: str, lab: ExerciseLab
) -> None:
    Path("empty.sh").touch()
    Path("large.sh").write_text("#" * (20 << 10) + "\n")
    Path("picture.sh").write_bytes(b"\x89PNG\xff")
    status, said = lab.run("handin", "report.md", *words)
    assert (status, "the whole acceptance suite" in said) == (2, False)
    assert why in said


def test_without_a_teachers_file_there_is_nobody_to_open_it(exercise_lab: ExerciseLab) -> None:
    exercise_lab.run("exercise", "start", "large-answers", "--student", "1")
    Path("report.md").write_text("x")
    status, said = exercise_lab.run("handin", "report.md")
    assert status == 2
    assert "was not started from a teacher's file" in said


def test_after_the_end_of_the_exercise_nothing_can_be_handed_in(lab: ExerciseLab) -> None:
    lab.run("exercise", "stop")
    assert read_exercise(lab.folder) is None
    assert "no exercise runs" in lab.run("handin", "report.md")[1]


def test_a_key_of_the_same_exercise_stays_and_another_one_is_not_written_over(lab: ExerciseLab) -> None:
    key = Path("large-answers.key")
    was = key.read_text()
    assert key.stat().st_mode & 0o777 == 0o600
    assert lab.run("exercise", "make", "large-answers")[0] == 0
    assert key.read_text() == was
    status, said = lab.run("exercise", "make", "two-at-once", "--key", str(key))
    assert status == 2
    assert "is the key of another version of the exercise" in said
    assert not Path("two-at-once.exercise").exists()
