"""`lab bench` around its measurements: the nodes, the plugins, and the lab that is put back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.operations.context import Lab
from lab.operations.packets import benching
from lab.operations.packets.bench_ends import two_nodes
from lab.topology.plan import Plan


def test_workers_are_measured_rather_than_the_control_plane(plan: Plan) -> None:
    nodes = two_nodes(plan)
    assert [nodes.asks.name, nodes.echoes.name] == [node.name for node in plan.workers[:2]]


def test_with_one_worker_the_control_plane_is_the_other(plan: Plan) -> None:
    small = replace(plan, nodes=plan.nodes[:2])
    nodes = two_nodes(small)
    assert [nodes.asks, nodes.echoes] == [plan.nodes[1], plan.nodes[0]]


def test_one_node_is_refused(plan: Plan) -> None:
    with pytest.raises(WrongUseError, match="between two nodes"):
        two_nodes(replace(plan, nodes=plan.nodes[:1]))


def test_commas_in_paths_are_doubled_for_qemu(tmp_path: Path) -> None:
    files = {"a": tmp_path / "x,y" / "a.count"}
    said = benching._plugins(Path("/p,q.so"), files)
    assert said == {"a": f"/p,,q.so,counts={tmp_path}/x,,y/a.count"}
    assert files["a"].parent.is_dir()


def test_with_kvm_there_is_no_plugin(tmp_path: Path) -> None:
    assert benching._plugins(None, {"a": tmp_path / "none" / "a.count"}) == {}
    assert not (tmp_path / "none").exists()


@dataclass
class SavePoints:
    """What is done with the lab's save points, in order; `there` are those it has."""

    there: tuple[str, ...] = ()
    done: list[str] = field(default_factory=list)

    def snapshots(self) -> tuple[str, ...]:
        return self.there


@pytest.fixture
def points(monkeypatch: pytest.MonkeyPatch) -> SavePoints:
    found = SavePoints()
    for name in ("save_snapshot", "restore_snapshot", "remove_snapshot"):
        monkeypatch.setattr(
            benching, name, lambda _, point, *__, verb=name: found.done.append(f"{verb} {point}")
        )
    monkeypatch.setattr(Lab, "open", lambda *_: SimpleNamespace(machines=found))
    return found


def test_the_lab_is_put_back_whatever_happens(points: SavePoints, tmp_path: Path) -> None:
    counts = tmp_path / "mine" / "bench"
    counts.mkdir(parents=True)
    with pytest.raises(KeyboardInterrupt), benching._put_back(LabFolder(tmp_path / "mine"), SilentProgress()):
        raise KeyboardInterrupt
    assert points.done == [
        "save_snapshot before-bench",
        "restore_snapshot before-bench",
        "remove_snapshot before-bench",
    ]
    assert not counts.exists()


def test_what_a_killed_run_left_is_told(points: SavePoints, tmp_path: Path) -> None:
    points.there = ("before-bench",)
    with (
        pytest.raises(LabError, match="still has the save point") as failed,
        benching._put_back(LabFolder(tmp_path / "mine"), SilentProgress()),
    ):
        pass
    assert "lab snapshot restore before-bench" in str(failed.value)
    assert points.done == []
