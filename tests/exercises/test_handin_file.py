"""The file that is handed in: the teacher's key opens it, and changes of it are noticed."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest

from lab.exercises.handin import (
    MAXIMUM_BYTES,
    ForeignError,
    NoHandInError,
    TamperedError,
    handin_text,
    read_handin,
)
from lab.exercises.teacher_key import TeacherKey, key_file_text, read_key_file
from lab.foundation.errors import WrongUseError
from tests.exercises.handins import handin_of
from tests.exercises.test_draw import SHIPPED

KEY = TeacherKey.new(SHIPPED["large-answers"])
HANDIN = handin_of("2023001", script="ip link set cni0 mtu 1450\n")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "a.handin"
    file.write_text(handin_text(HANDIN, KEY.exercise))
    return file


def test_the_key_opens_it_and_nothing_of_it_can_be_read_without(file: Path) -> None:
    assert read_handin(file, KEY) == HANDIN
    text = file.read_text()
    assert "2023001" in text
    assert not [word for word in ("cni0", "firewall", "Report", "testcase") if word in text]
    assert len(text) < MAXIMUM_BYTES


def test_a_change_of_any_part_is_noticed(file: Path) -> None:
    whole = json.loads(file.read_text())
    box = bytearray(base64.b64decode(whole["box"]))
    box[100] ^= 1
    other = json.loads(handin_text(handin_of("2023002"), KEY.exercise))
    for changed in (
        {**whole, "box": base64.b64encode(box).decode()},
        {**whole, "box": whole["box"][:400]},
        {**whole, "box": "no base64!"},
        {**whole, "label": {**whole["label"], "student": "2023002"}},
        {**whole, "box": other["box"]},
    ):
        file.write_text(json.dumps(changed))
        with pytest.raises(TamperedError):
            read_handin(file, KEY)


def test_of_another_exercise_version_or_key_it_is_foreign(file: Path) -> None:
    for other, why in (
        (TeacherKey.new(SHIPPED["coursework-1"]), "of the exercise coursework-1"),
        (TeacherKey.new(replace(KEY.exercise, points=7)), "of another version of the exercise"),
        (TeacherKey.new(KEY.exercise), "made with the file of another key"),
    ):
        file.write_text(handin_text(HANDIN, other.exercise))
        with pytest.raises(ForeignError, match=why) as caught:
            read_handin(file, KEY)
        assert caught.value.label.student == "2023001"


@pytest.mark.parametrize("text", ["", "[]", '{"format": 1}', "\0" * 100, "x" * (MAXIMUM_BYTES + 1)])
def test_something_else_is_no_hand_in(text: str, tmp_path: Path) -> None:
    file = tmp_path / "a.handin"
    file.write_text(text)
    with pytest.raises(NoHandInError):
        read_handin(file, KEY)


def test_the_key_file_holds_the_exercise_and_shows_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "a.key"
    file.write_text(key_file_text(KEY))
    assert read_key_file(file) == KEY
    assert not [entry for entry in KEY.exercise.faults if entry.partition("@")[0] in file.read_text()]
    whole = json.loads(file.read_text())
    for changed in ({**whole, "name": "x"}, {**whole, "private": "AA=="}, {**whole, "sealed": "x"}, {}):
        file.write_text(json.dumps(changed))
        with pytest.raises(WrongUseError, match="is no key of an exercise"):
            read_key_file(file)


def test_the_key_changes_neither_the_digest_nor_what_is_drawn() -> None:
    assert KEY.exercise.public_key != ""
    assert KEY.exercise.digest == SHIPPED["large-answers"].digest
