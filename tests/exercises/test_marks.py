"""What hand-ins are worth."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest

from lab.exercises.exercise import PoolEntry
from lab.exercises.handin import Claim, Found, HandIn
from lab.exercises.marks import Mark, Received, Status, Truth, csv_of, mark_of, settle_duplicates
from lab.state.marking import Replay
from tests.exercises.handins import WENT_BACK, handin_of
from tests.exercises.test_draw import SHIPPED

EXERCISE = SHIPPED["large-answers"]
TRUTH = Truth((PoolEntry("mtu-too-large", "k8s-node2"),), ("k8s-node2",), replayable=True)
IN_THE_LAN = replace(TRUTH, replayable=False)
WELL = Replay(True, "exit status 0 on all nodes", {}, (), 61.0)
ILL = Replay(False, "exit status 1 on k8s-node2", {}, ("reachability: 1 of 2 fail",), 61.0)


def received(handin: HandIn, file: str = "a.handin") -> Received:
    failed = 0 if "failure" not in handin.after else 1
    return Received(file, f"digest of {handin}", handin.student, handin, (1, failed))


def mark(handin: HandIn, replay: Replay | str | None = None, truth: Truth = TRUTH) -> Mark:
    return mark_of(received(handin), truth, EXERCISE, replay)


@pytest.mark.parametrize(
    ("handin", "points", "how"),
    [
        (handin_of("1"), 50, "corrected by hand"),
        (handin_of("1", healthy=False), 0, "not healthy"),
        (handin_of("1", returns=[WENT_BACK]), 0, "healthy, not by hand: 2026-11-30T10:30:00+00:00 went back"),
        (replace(handin_of("1"), claim=Claim(True, False, ())), 0, "not judged"),
    ],
)
def test_without_a_replay_the_check_of_the_student_counts(handin: HandIn, points: int, how: str) -> None:
    made = mark(handin)
    assert (made.points, made.claimed, made.of_points) == (points, points, 50)
    assert made.how.startswith(how)


def test_a_report_that_does_not_fit_gives_nothing() -> None:
    untrue = replace(handin_of("1", healthy=False), claim=Claim(True, True, ()))
    assert mark(untrue).points == 0


@pytest.mark.parametrize(
    ("handin", "replay", "points"),
    [
        (handin_of("1", script="x"), WELL, 50),
        (handin_of("1", script="x"), ILL, 0),
        (handin_of("1", script="x", healthy=False), WELL, 50),
        (handin_of("1", script="x", returns=[WENT_BACK]), WELL, 0),
        (handin_of("1"), "no script to replay", 0),
        (handin_of("1", script="x"), "not replayed yet", 0),
    ],
)
def test_with_replays_the_replay_counts(handin: HandIn, replay: Replay | str, points: int) -> None:
    assert mark(handin, replay).points == points


def test_what_no_script_can_correct_is_not_held_against_anybody() -> None:
    assert mark(handin_of("1"), "not replayed", IN_THE_LAN).points == 50


def test_a_replay_says_how_the_script_ended_and_what_fails() -> None:
    said = mark(handin_of("1", script="x"), ILL).replay
    assert said == ("not healthy after 61 s, script: exit status 1 on k8s-node2; reachability: 1 of 2 fail")


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (["k8s-node2"], "1 of 1"),
        (["k8s-node1"], "0 of 1, 1 wrong"),
        (["k8s-node1", "k8s-node2"], "1 of 1, 1 wrong"),
        ([], "0 of 1"),
    ],
)
def test_the_places_that_were_named_are_compared(named: list[str], said: str) -> None:
    handin = replace(handin_of("1"), found=tuple(Found(node, "x") for node in named))
    assert mark(handin).right_nodes == said


def test_of_one_student_the_last_one_counts() -> None:
    first = received(handin_of("1", handed_in="2026-11-30T11:00:00+00:00"), "1.handin")
    last = received(handin_of("1", handed_in="2026-11-30T12:00:00+00:00"), "2.handin")
    same, other = replace(last, file="3.handin"), received(handin_of("2"), "4.handin")
    settled = settle_duplicates([first, last, same, other])
    assert [(each.status, each.note) for each in settled] == [
        (Status.DUPLICATE, "a later one is 2.handin"),
        (Status.OK, ""),
        (Status.DUPLICATE, "the same file as 2.handin"),
        (Status.OK, ""),
    ]
    assert mark_of(settled[0], TRUTH, EXERCISE, WELL).points == 0


def test_same_reports_and_scripts_are_named() -> None:
    mine = received(handin_of("1", report="# mine\n", script="x"))
    theirs = received(handin_of("2", report="# mine\n", script="x"))
    assert [each.note for each in settle_duplicates([mine, theirs])] == [
        "the same report as 2; the same script as 2",
        "the same report as 1; the same script as 1",
    ]


def test_a_spreadsheet_computes_nothing_of_it() -> None:
    evil = replace(handin_of("1"), found=(Found("k8s-node1", "x"),), report="=1")
    made = replace(mark(evil), note="=HYPERLINK(1)", found='-1,"a"\nb')
    header, row = csv.reader(csv_of([made]).splitlines())
    values = dict(zip(header, row, strict=True))
    assert (values["note"], values["found"], values["points"]) == ("'=HYPERLINK(1)", '\'-1,"a" b', "50")
