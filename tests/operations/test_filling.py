"""Modes that are installed ahead; the lab is rebuilt on paper."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import Progress, SilentProgress
from lab.operations.context import Lab
from lab.operations.keeping import filling
from lab.state.records import LabRecord, save_topology, write_record
from lab.topology.loader import find_topology


@pytest.fixture
def rebuilt(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The modes in which the lab was built anew; routed is in the cache, ipvlan-l2 does not come up."""
    modes: list[str] = []

    def rebuild(folder: LabFolder, mode: str, progress: Progress) -> None:
        modes.append(mode)
        if mode == "ipvlan-l2":
            raise LabError("a node is gone")

    monkeypatch.setattr(filling, "rebuild_lab", rebuild)
    monkeypatch.setattr(filling, "is_kept", lambda lab: lab.plan.mode == "routed")
    monkeypatch.setattr(Lab, "require_running", lambda lab: None)
    return modes


@pytest.fixture
def folder(tmp_path: Path) -> LabFolder:
    folder = LabFolder(tmp_path / "a-lab")
    save_topology(folder, find_topology("underlay-3node"))
    write_record(folder, LabRecord("a-lab", mode="macvlan", supply="packages", created=""))
    return folder


def fill(folder: LabFolder, *modes: str) -> tuple[str, ...]:
    return filling.fill_cache(folder, modes, SilentProgress())


def test_what_the_cache_lacks_is_installed_and_the_lab_goes_back(
    folder: LabFolder, rebuilt: list[str]
) -> None:
    assert fill(folder, "routed", "bridge", "macvlan:host_shim=false") == (
        "bridge",
        "macvlan:host_shim=false",
    )
    assert rebuilt == ["bridge", "macvlan:host_shim=false", "macvlan"]


def test_nothing_is_done_when_nothing_is_lacking(folder: LabFolder, rebuilt: list[str]) -> None:
    assert fill(folder, "routed") == ()
    assert rebuilt == []


def test_an_unknown_mode_is_told_before_anything_starts(folder: LabFolder, rebuilt: list[str]) -> None:
    with pytest.raises(WrongUseError, match="there is no mode macvaln"):
        fill(folder, "bridge", "macvaln")
    assert rebuilt == []


def test_after_a_failure_the_lab_goes_back_too(folder: LabFolder, rebuilt: list[str]) -> None:
    with pytest.raises(LabError, match="a node is gone"):
        fill(folder, "bridge", "ipvlan-l2")
    assert rebuilt == ["bridge", "ipvlan-l2", "macvlan"]
