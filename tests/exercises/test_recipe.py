"""Recipes of teachers: all that is wrong is told at once, each with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.exercises.recipe import RecipeError, find_recipe, load_recipe
from lab.faults.registry import FAULTS
from lab.foundation.errors import WrongUseError
from tests.conftest import TOPOLOGIES, Golden
from tests.exercises.test_draw import SHIPPED

GOLDEN = Path(__file__).parent / "golden"
RIGHT = """\
name: a
title: Something is wrong
text: Find it.
topology: underlay-3node
mode: flannel-vxlan
faults: [forward-drop]
points: 50
"""
WRONG = {
    "keys": "nmae: a\ntitle: [x]\ntext:\ndraw: none\nreveal: 1\nfaults: []\npoints: 0\nobjects: x\n",
    "contents": """\
name: A b
title: It has forward-drop
text: Find it.
topology: underlay-3node
mode: flannel-vxlan
objects: [nowhere.yaml, objects.yaml, broken.yaml, empty.yaml]
faults:
  - forward-drop@k8s-node3
  - forward-drop@k8s-node3
  - forwrad-drop
  - label-missing
  - coredns-zero@k8s-node1
  - disk-full@k8s-master1
  - clock-off
  - ip-forward-off
  - 7
draw: 9
points: 50
""",
    "mode": RIGHT.replace("flannel-vxlan", "macvlan:shim=false"),
    "unknown mode": RIGHT.replace("flannel-vxlan", "flanel-vxlan"),
    "topology": RIGHT.replace("underlay-3node", "underlay-3nodes"),
    "broken topology": RIGHT.replace("underlay-3node", "./broken-topology.yaml"),
    "list": "- a\n",
    "nothing": "",
    "syntax": "name: a: b\n",
}


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In its folder, which is the current one: so that paths in messages are short."""
    monkeypatch.chdir(tmp_path)
    Path("objects.yaml").write_text("apiVersion: v1\nkind: Namespace\n---\n- a\n")
    Path("broken.yaml").write_text("a: b: c\n")
    Path("empty.yaml").write_text("---\n")
    Path("broken-topology.yaml").write_text("name: a\n")
    return Path("a.yaml")


@pytest.mark.parametrize("name", WRONG)
def test_all_that_is_wrong_is_told_with_its_place(
    name: str, recipe: Path, compare_with_golden: Golden
) -> None:
    recipe.write_text(WRONG[name])
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe)
    said = str(caught.value).replace(str(TOPOLOGIES), "topologies").replace(str(Path.cwd()), "HERE")
    compare_with_golden(GOLDEN / f"{name.replace(' ', '-')}.txt", f"{said}\n")


def test_what_is_left_out_has_a_default(recipe: Path) -> None:
    recipe.write_text(RIGHT)
    exercise = load_recipe(recipe)
    assert (exercise.draw, exercise.reveal, exercise.objects) == (1, True, ())
    assert exercise.topology == (TOPOLOGIES / "underlay-3node.yaml").read_text()


def test_files_are_looked_for_beside_the_recipe(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = (TOPOLOGIES / "underlay-3node.yaml").read_text().replace("name: underlay-3node", "name: own")
    Path("own.yaml").write_text(own)
    Path("things.yaml").write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n")
    recipe.write_text(f"{RIGHT.replace('underlay-3node', 'own.yaml')}objects: [things.yaml]\n")
    path = recipe.absolute()
    monkeypatch.chdir("/")
    exercise = load_recipe(path)
    assert (exercise.topology, exercise.objects) == (own, (path.with_name("things.yaml").read_text(),))


def test_the_six_that_come_with_the_project_are_right_and_tell_students_no_fault() -> None:
    assert list(SHIPPED) == [
        *(f"coursework-{number}" for number in range(1, 5)),
        "large-answers",
        "two-at-once",
    ]
    for name, exercise in SHIPPED.items():
        assert exercise.name == name
        assert not [f.name for f in FAULTS if f.name in f"{name} {exercise.title} {exercise.text}"]
    assert SHIPPED["two-at-once"].draw == 2


def test_a_recipe_is_found_by_name_or_path(recipe: Path) -> None:
    assert load_recipe(find_recipe("coursework-3")) == SHIPPED["coursework-3"]
    recipe.write_text(RIGHT)
    assert find_recipe("a.yaml") == recipe
    for name, said in (
        ("coursework-9", "did you mean 'coursework-"),
        ("b.yaml", "there is no recipe b.yaml"),
    ):
        with pytest.raises(WrongUseError, match=said):
            find_recipe(name)
