"""Which faults a student gets: decided by number and exercise, and by nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from lab.exercises.exercise import Exercise, drawn, student_id
from lab.exercises.recipe import load_recipe, shipped_recipes
from lab.foundation.errors import WrongUseError

STUDENTS = [str(number) for number in range(2023001, 2023041)]
EXERCISE = Exercise(
    name="a",
    title="",
    text="",
    topology="",
    mode="macvlan",
    objects=(),
    faults=("forward-drop@k8s-node1", "forward-drop@k8s-node2", "udp-dropped", "coredns-zero"),
    draw=1,
    points=50,
    reveal=True,
)
SHIPPED = {name: load_recipe(path) for name, path in shipped_recipes().items()}


@pytest.mark.parametrize("exercise", [EXERCISE, *SHIPPED.values()], ids=lambda exercise: exercise.name)
def test_of_forty_students_each_gets_the_same_again_and_all_together_get_all(exercise: Exercise) -> None:
    first = {student: drawn(exercise, student) for student in STUDENTS}
    assert {student: drawn(replace(exercise), student) for student in STUDENTS} == first
    assert {str(entry) for entries in first.values() for entry in entries} == set(exercise.faults)
    assert {len(entries) for entries in first.values()} == {exercise.draw}


def test_no_fault_is_drawn_twice() -> None:
    pairs = [drawn(replace(EXERCISE, draw=3), student) for student in STUDENTS]
    assert {len({entry.fault for entry in pair}) for pair in pairs} == {3}
    first = Counter(pair[0].fault for pair in pairs)
    assert set(first) == {"forward-drop", "udp-dropped", "coredns-zero"}


def test_another_exercise_draws_anew() -> None:
    again = replace(EXERCISE, text="in spring")
    assert [drawn(again, student) for student in STUDENTS] != [drawn(EXERCISE, s) for s in STUDENTS]


def test_a_number_is_the_same_in_capital_letters() -> None:
    assert drawn(EXERCISE, "b2023001") == drawn(EXERCISE, "B2023001")


@pytest.mark.parametrize("wrong", ["", " 1", "1/2", "-1", "学号", "1" * 41])
def test_what_is_no_number_is_refused(wrong: str) -> None:
    with pytest.raises(WrongUseError, match="is not a valid student number"):
        student_id(wrong)
