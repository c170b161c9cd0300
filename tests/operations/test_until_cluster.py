"""`lab up --until cluster` ends before there is a pod network, and `lab up` goes on from there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from lab.foundation.errors import WrongUseError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.operations import up
from lab.operations.context import Lab
from lab.operations.keeping import keep as keeping
from lab.operations.keeping.keep import bring_back
from lab.operations.up import Until, UpRequest, bring_up
from lab.operations.up_steps import InstallMode, InstallPrograms, KeepCluster, LabelNodes
from lab.state.kept_labs import KeptLab, KeptLabs
from lab.state.records import lab_folder, read_record, write_record
from tests.operations.test_images_of_up import ran
from tests.stand_in_site import PaperParts

__all__ = ["ran"]
TO_CLUSTER = UpRequest("underlay-3node", name="a", until=Until.CLUSTER)


def test_it_ends_when_the_cluster_is_kept_and_goes_on_later(ran: list[str]) -> None:
    bring_up(TO_CLUSTER, SilentProgress())
    assert KeepCluster.name in ran
    assert not {InstallMode.name, LabelNodes.name} & set(ran)
    record = read_record(lab_folder("a"))
    assert record is not None
    assert not record.ready
    ran.clear()
    bring_up(replace(TO_CLUSTER, until=None), SilentProgress())
    assert {InstallMode.name, LabelNodes.name} <= set(ran)


def test_the_programs_of_hybridnet_come_without_networks_and_labels(ran: list[str]) -> None:
    bring_up(replace(TO_CLUSTER, until=Until.PROGRAMS), SilentProgress())
    assert InstallPrograms.name in ran
    assert not {InstallMode.name, LabelNodes.name} & set(ran)


def test_a_mode_without_networks_of_its_own_has_no_such_end(ran: list[str]) -> None:
    with pytest.raises(WrongUseError, match="has no networks that users make"):
        bring_up(replace(TO_CLUSTER, mode="macvlan", until=Until.PROGRAMS), SilentProgress())
    assert ran == []


def test_with_a_pod_network_it_says_how_to_go_back(ran: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    bring_up(TO_CLUSTER, SilentProgress())
    record = read_record(lab_folder("a"))
    assert record is not None
    write_record(lab_folder("a"), replace(record, ready=True))
    monkeypatch.setattr(up, "LocalParts", PaperParts)
    with pytest.raises(WrongUseError, match="has a pod network already") as caught:
        bring_up(TO_CLUSTER, SilentProgress())
    assert "lab snapshot restore cluster --name a" in str(caught.value)


@pytest.mark.parametrize(("with_mode", "last"), [(True, "mode-macvlan"), (False, "cluster")])
def test_from_the_cache_comes_the_cluster_alone(
    with_mode: bool, last: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    went: list[str] = []
    brought: list[tuple[str, ...]] = []
    monkeypatch.setattr(keeping, "kind_of", lambda lab: "kind")
    monkeypatch.setattr(keeping, "go_back", lambda lab, name: went.append(name))
    monkeypatch.setattr(KeptLabs, "in_use", lambda self, kept: _Source(tmp_path))
    folder = LabFolder(tmp_path / "a")
    machines = SimpleNamespace(bring_back=lambda source, snapshots: brought.append(snapshots))
    plan = SimpleNamespace(choice="macvlan")
    lab = cast(Lab, SimpleNamespace(folder=folder, machines=machines, plan=plan))
    bring_back(lab, cast(KeptLab, SimpleNamespace(kind="kind")), with_mode=with_mode)
    assert went == [last]
    assert brought == [("cluster", "mode-macvlan") if with_mode else ("cluster",)]


class _Source:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Path:
        return self._path

    def __exit__(self, *error: object) -> None:
        """Nothing was locked."""
