"""The acceptance suite must name known mistakes that are in a real lab, and pass again when they are out.

The lab is the one that the tests before have left in mode flannel-vxlan. All are in at once, on different
nodes, as a run of the suite takes minutes; scripts/fault-table tries the others, and every mode.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from lab_under_test import Lab

from lab.operations.suite_page.results import Outcome
from scripts.fault_table import Trial, Wanted, run_suite, try_faults

pytestmark = pytest.mark.real_lab

MODE = "flannel-vxlan"
FAULTS = (
    Wanted("wrong-nic"),
    Wanted("kube-proxy-gone", "k8s-master1"),
    Wanted("kube-proxy-halted", "k8s-node2"),
    Wanted("forward-drop", "k8s-node1"),
)


@pytest.fixture(scope="module")
def trials(lab: Lab) -> Mapping[str, Trial]:
    mode = json.loads(lab("status", "--json"))["mode"]
    assert mode == MODE, f"the lab runs in another mode: `lab rebuild --mode {MODE}` first"
    return {trial.fault: trial for trial in try_faults(MODE, FAULTS)}


@pytest.mark.parametrize("fault", [wanted.fault for wanted in FAULTS])
def test_the_suite_names_it(fault: str, trials: Mapping[str, Trial]) -> None:
    trial = trials[fault]
    print(trial.row)  # noqa: T201 - what a person wants to see of it
    assert trial.failed, "no check failed"
    assert trial.naming, "no failing check names it"
    assert trial.naming >= 0.9 * trial.failed, f"only {trial.naming} of {trial.failed} failing checks name it"


def test_the_lab_is_healthy_again(trials: Mapping[str, Trial], tmp_path: Path) -> None:
    assert sorted(trials) == sorted(wanted.fault for wanted in FAULTS)
    checks = run_suite(tmp_path / "report.xml")
    assert [f"{c.function} {c.parameter}" for c in checks if c.outcome is Outcome.FAILED] == []
