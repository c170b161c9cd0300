"""What is on disk of an exercise that runs: whole, and silent about its faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.foundation.errors import LabError
from lab.foundation.paths import LabFolder
from lab.state.exercise import (
    ExerciseRecord,
    note_return,
    read_exercise,
    remove_exercise,
    write_exercise,
)
from lab.state.faults import InjectedFault, read_faults, write_faults

RECORD = ExerciseRecord("ex", "2023001", "0" * 64, "c2VhbGVk", "2024-01-01T00:00:00+00:00")
FAULTS = (InjectedFault("forward-drop", "k8s-node1", "2024-01-01T00:00:00+00:00", {"policy": "ACCEPT"}),)


@pytest.fixture
def folder(tmp_path: Path) -> LabFolder:
    return LabFolder(tmp_path / "a")


def test_an_exercise_is_on_record_until_it_is_removed(folder: LabFolder) -> None:
    assert read_exercise(folder) is None
    write_exercise(folder, RECORD)
    assert read_exercise(folder) == RECORD
    remove_exercise(folder)
    remove_exercise(folder)
    assert read_exercise(folder) is None


def test_each_return_is_kept_while_an_exercise_runs(folder: LabFolder) -> None:
    note_return(folder, "was made anew")
    assert not folder.exercise.exists()
    write_exercise(folder, RECORD)
    note_return(folder, "went back")
    note_return(folder, "was made anew")
    found = read_exercise(folder)
    assert found is not None
    assert [each.how for each in found.returns] == ["went back", "was made anew"]


def test_faults_are_sealed_while_an_exercise_runs_and_read_after_it_too(folder: LabFolder) -> None:
    write_exercise(folder, RECORD)
    write_faults(folder, FAULTS)
    text = folder.faults.read_text()
    assert not [word for word in ("forward", "node1", "policy", "ACCEPT") if word in text]
    assert read_faults(folder) == FAULTS
    remove_exercise(folder)
    assert read_faults(folder) == FAULTS
    write_faults(folder, FAULTS)
    assert "forward-drop" in folder.faults.read_text()


@pytest.mark.parametrize("text", ["[{]", '{"sealed": "x"}', '{"sealed": 1}', "{}"])
def test_a_broken_file_names_the_way_out(folder: LabFolder, text: str) -> None:
    folder.root.mkdir()
    folder.faults.write_text(text)
    with pytest.raises(LabError, match="cannot be read"):
        read_faults(folder)
    folder.exercise.write_text(text)
    with pytest.raises(LabError, match="cannot be read"):
        read_exercise(folder)
