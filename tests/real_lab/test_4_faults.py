"""The acceptance suite must fail, and name the cause, on a real lab with a known mistake; then pass again.

The lab is the one that the tests before these have left in mode flannel-vxlan. Every other known mistake, in
every mode, is tried by scripts/fault-table.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lab_under_test import Lab

from lab.operations.suite_page.results import Outcome
from scripts.fault_table import Wanted, run_suite, try_faults

pytestmark = [pytest.mark.real_lab, pytest.mark.faults]

MODE = "flannel-vxlan"
FAULTS = ("forward-drop", "kube-proxy-gone", "kube-proxy-halted", "wrong-nic")


@pytest.fixture(scope="module", autouse=True)
def _mode(lab: Lab) -> None:
    mode = json.loads(lab("status", "--json"))["mode"]
    assert mode == MODE, f"the lab runs in another mode: `lab rebuild --mode {MODE}` first"


@pytest.mark.parametrize("fault", FAULTS)
def test_the_suite_names_it(fault: str) -> None:
    (trial,) = try_faults(MODE, [Wanted(fault)])
    assert trial.failed, "no check failed"
    assert trial.naming, "no failing check names it"
    assert trial.naming >= 0.9 * trial.failed, f"only {trial.naming} of {trial.failed} failing checks name it"


def test_the_lab_is_healthy_again(tmp_path: Path) -> None:
    checks = run_suite(tmp_path / "report.xml")
    assert [check for check in checks if check.outcome is Outcome.FAILED] == []
