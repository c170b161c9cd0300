"""The benchmarks' own parts that need no lab."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from benchmarks.report import as_markdown, as_text
from benchmarks.runs import Run
from benchmarks.scale import COUNTS, topology_of

from lab.modes.registry import mode_names
from lab.topology.loader import load_topology
from lab.topology.planner import make_plan

RUNS = {
    "up-cold": [Run(200.0, {"kubeadm init": 60.0, "pod network": 20.0})],
    "rebuild": [Run(4.0), Run(6.0), Run(5.0)],
}


@pytest.mark.parametrize("count", COUNTS)
def test_topologies_of_any_size_are_right(count: int, tmp_path: Path) -> None:
    path = tmp_path / "scale.yaml"
    path.write_text(yaml.safe_dump(topology_of(count), sort_keys=False))
    plan = make_plan(load_topology(path, known_modes=mode_names()))
    assert len(plan.nodes) == count
    assert len(plan.workers) == count - 1


def test_the_table_compares_with_a_lab_built_anew() -> None:
    lines = as_text(RUNS).splitlines()
    assert any(line.split() == ["rebuild", "3", "5.0", "4.0", "6.0", "40.0", "times"] for line in lines)
    assert any(line.split() == ["kubeadm", "init", "60.0", "60.0", "60.0", "30%"] for line in lines)


def test_by_hand_comes_first_where_it_was_measured() -> None:
    page = as_markdown({"by-hand": [Run(800.0)], **RUNS}, ["by-hand", "up-cold"])
    assert "| by-hand is |" in page
    assert "| `lab rebuild` | 3 | 5.0 | 4.0 | 6.0 | 160.0 times |" in page
    assert "`scripts/bench by-hand up-cold`" in page
