"""A lab keeps the supply that its software came from."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.foundation.errors import WrongUseError
from lab.foundation.progress import SilentProgress
from lab.operations import up
from lab.operations.software import supply_named
from lab.operations.up import UpRequest, bring_up
from lab.state.records import LabRecord, lab_folder, now, read_record, save_topology, write_record
from lab.topology.loader import find_topology
from lab.topology.models import Supply


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))


class ReachedError(Exception):
    """The steps would have begun."""


def begin(has: str, wants: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def reached(*_: object) -> None:
        raise ReachedError

    monkeypatch.setattr(up, "run_steps", reached)
    folder = lab_folder("a")
    folder.root.mkdir(parents=True)
    save_topology(folder, find_topology("underlay-3node"))
    write_record(folder, LabRecord("a", mode="hybridnet", supply=has, created=now()))
    bring_up(UpRequest("underlay-3node", supply=wants, name="a"), SilentProgress())


@pytest.mark.parametrize(
    ("has", "wants"), [("packages", None), ("packages", "packages"), ("bundle", "auto"), ("auto", "packages")]
)
def test_a_lab_goes_on_with_the_supply_it_has(
    has: str, wants: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ReachedError):
        begin(has, wants, monkeypatch)


def test_another_supply_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WrongUseError, match="comes from the supply packages, not mirror"):
        begin("packages", "mirror", monkeypatch)
    record = read_record(lab_folder("a"))
    assert record is not None
    assert record.supply == "packages"


def test_an_unknown_supply_is_refused_with_those_there_are() -> None:
    assert supply_named(None) is Supply.AUTO
    with pytest.raises(WrongUseError, match="no supply miror") as caught:
        supply_named("miror")
    assert "mirror" in (caught.value.resolution or "")
