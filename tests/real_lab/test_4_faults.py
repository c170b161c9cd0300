"""The acceptance suite must find known mistakes that are in a real lab, and pass again when they are out.

The lab is the one that the tests before have left in mode flannel-vxlan. All are in at once, on different
nodes, as a run of the suite takes minutes; each must be found by the own words of a check that is about its
node. scripts/fault-table tries all faults there are, one by one, in every mode.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from lab.operations.suite_page.results import Outcome
from scripts.fault_table.records import Found
from scripts.fault_table.trial import Wanted, faults_in, judged_by_the_suite, present_mode, run_suite
from tests.real_lab.lab_under_test import Lab

pytestmark = pytest.mark.real_lab

MODE = "flannel-vxlan"
FAULTS = (
    Wanted("wrong-nic"),
    Wanted("kube-proxy-gone", "k8s-master1"),
    Wanted("kube-proxy-halted", "k8s-node2"),
    Wanted("forward-drop", "k8s-node1"),
)


@pytest.fixture(scope="module")
def found(lab: Lab) -> Mapping[str, Found]:
    assert present_mode() == MODE, f"the lab runs in another mode: `lab rebuild --mode {MODE}` first"
    with faults_in(FAULTS) as nodes:
        return {each.fault: each for each in judged_by_the_suite(MODE, nodes).faults}


@pytest.mark.parametrize("wanted", FAULTS, ids=lambda wanted: wanted.fault)
def test_a_check_of_its_node_finds_it_by_its_own_words(wanted: Wanted, found: Mapping[str, Found]) -> None:
    seen = found[wanted.fault]
    print(f"{seen.check}: {seen.words}")  # noqa: T201 - what a person wants to see of it
    assert wanted.node in ("", seen.node)
    assert seen.check, f"no failing check of {seen.node or 'the lab'} names it in its own words"


def test_the_lab_is_healthy_again(found: Mapping[str, Found], tmp_path: Path) -> None:
    assert sorted(found) == sorted(wanted.fault for wanted in FAULTS)
    checks = run_suite(tmp_path / "report.xml")
    assert [f"{c.function} {c.parameter}" for c in checks if c.outcome is Outcome.FAILED] == []
