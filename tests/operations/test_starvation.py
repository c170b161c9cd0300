"""When the machines of a lab are called starved; nodes are stood in for."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.foundation.errors import LabError
from lab.nodes.pool import in_parallel
from lab.operations.context import Lab
from lab.operations.starvation import STARVED, USUAL_SECONDS, WORK, starvation
from lab.topology.plan import Plan


class StandInNodes:
    """Nodes that take these seconds for the loop, or do not answer."""

    def __init__(self, seconds: Mapping[str, float | None]) -> None:
        self._seconds = seconds

    def __getitem__(self, name: str) -> Any:
        def run(what: object, timeout: float) -> Any:
            assert what is WORK
            seconds = self._seconds[name]
            if seconds is None:
                raise LabError(f"node {name} does not answer")
            return SimpleNamespace(stdout=f"{seconds * 1e6:.0f}\n")

        return SimpleNamespace(run=run)

    def on_each(self, nodes: Any, work: Any) -> dict[str, Any]:
        return in_parallel({node.name: partial(work, node) for node in nodes})


def lab(plan: Plan, *seconds: float | None) -> Lab:
    by_name = dict(zip((node.name for node in plan.nodes), seconds, strict=True))
    return cast(Lab, SimpleNamespace(plan=plan, nodes=StandInNodes(by_name)))


@pytest.mark.parametrize("ratio", [0.1, 1.0, STARVED - 0.1])
def test_slow_is_not_starved(plan: Plan, ratio: float) -> None:
    assert starvation(lab(plan, USUAL_SECONDS, USUAL_SECONDS * ratio, None), plan.nodes) == ()


def test_the_slowest_machine_is_named(plan: Plan) -> None:
    (said,) = starvation(lab(plan, USUAL_SECONDS * 7, USUAL_SECONDS * 9, None), plan.nodes)
    assert said.startswith("the machines are starved: k8s-node1 works 9 times slower than usual, the host")


def test_the_loop_prints_its_microseconds() -> None:
    printed = subprocess.run(["bash", "-euc", WORK.text], capture_output=True, text=True, check=True).stdout
    assert int(printed) > 0
