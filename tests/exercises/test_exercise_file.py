"""The file for students: whole, refused when changed, and silent about its faults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.exercises.exercise_file import exercise_file_text, read_exercise_file
from lab.foundation.errors import LabError, WrongUseError
from tests.exercises.test_draw import SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_file_holds_the_whole_exercise_and_shows_no_fault(name: str, tmp_path: Path) -> None:
    exercise, file = SHIPPED[name], tmp_path / "a.exercise"
    file.write_text(exercise_file_text(exercise))
    assert read_exercise_file(file) == exercise
    text = file.read_text()
    assert exercise.digest in text
    assert not [entry for entry in exercise.faults if entry.partition("@")[0] in text]


def test_a_changed_file_is_refused_without_its_contents(tmp_path: Path) -> None:
    exercise, file = SHIPPED["coursework-1"], tmp_path / "a.exercise"
    whole = json.loads(exercise_file_text(exercise))
    other = json.loads(exercise_file_text(SHIPPED["coursework-2"]))
    for changed in (
        {**whole, "name": "other"},
        {**whole, "digest": "0" * 64},
        {**whole, "sealed": other["sealed"]},
        {**whole, "sealed": whole["sealed"][:40]},
    ):
        file.write_text(json.dumps(changed))
        with pytest.raises(LabError) as caught:
            read_exercise_file(file)
        assert str(caught.value) == f"the exercise in {file} is damaged\nHow to fix it: get the file again"


def test_another_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.exercise"
    with pytest.raises(LabError, match="cannot read"):
        read_exercise_file(file)
    for text in ("", "name: a", "[]", '{"format": 2}'):
        file.write_text(text)
        with pytest.raises(WrongUseError, match="is no exercise"):
            read_exercise_file(file)
