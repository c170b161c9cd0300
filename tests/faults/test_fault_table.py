"""The page of the faults says what is on record, and a run is put on record as it was."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lab.faults.control_planes import CONTROL_PLANE_FAULTS
from lab.faults.registry import FAULTS
from lab.foundation.errors import LabError
from lab.modes.registry import mode_names
from lab.operations.suite_page.results import Check, Outcome, read_checks
from scripts.fault_table.__main__ import on_record
from scripts.fault_table.page import (
    BEGIN,
    END,
    NOTHING,
    PAGE,
    RECORDS,
    matrix,
    tables,
    with_tables,
    write_page,
)
from scripts.fault_table.records import Found, Run, read_runs, record, write_runs
from scripts.fault_table.trial import Wanted, concerns, judge, run_suite, what_is_wrong
from scripts.fault_table.words import WORDS, line_that_names

NODE2 = "k8s-node2"
DROP = f"FORWARD policy is DROP on {NODE2} (iptables-legacy)"
CLOCK = "the clock of k8s-node1 is 3599 s or more behind this machine's"
FOUND = Found("forward-drop", 1, "data path: node [k8s-node2-forwarding]", DROP, NODE2)
ALONE = Run("macvlan", (FOUND,), 2, 60.0, "2026-11-29T03:00:00+00:00")
TOGETHER = Run("macvlan", (Found("clock-off", 0, "", ""), FOUND), 7)


def test_the_page_tells_every_fault_as_the_command_does() -> None:
    page = PAGE.with_name("faults.md").read_text()
    assert [fault.name for fault in FAULTS if f"| `{fault.name}` | {fault.summary} |" not in page] == []
    assert sorted(WORDS) == sorted(fault.name for fault in FAULTS)


def test_the_page_shows_what_is_on_record() -> None:
    page = PAGE.read_text()
    assert page == with_tables(page, read_runs(RECORDS)), "scripts/fault-table --page-only writes it"


def test_what_is_on_record_is_of_faults_and_modes_that_there_are() -> None:
    for run in read_runs(RECORDS):
        assert run.mode in mode_names()
        assert {found.fault for found in run.faults} <= WORDS.keys()


def test_words_on_record_name_their_fault() -> None:
    told = [found for run in read_runs(RECORDS) if run.own_words for found in run.faults if found.check]
    assert [found for found in told if not line_that_names(found.fault, found.node, found.words)] == []


def _check(function: str, parameter: str, own_words: str, outcome: Outcome = Outcome.FAILED) -> Check:
    return Check(
        "data path", function, parameter, outcome, 1.0, f"{own_words}\ncause: {DROP}", own_words=own_words
    )


def test_the_check_that_says_least_besides_is_the_one_that_found_it() -> None:
    checks = (
        _check("reach", NODE2, f"a long story\n{DROP}"),
        _check("node", f"{NODE2}-forwarding", DROP),
        _check("node", f"{NODE2}-forwarding", DROP),
        _check("fine", NODE2, DROP, Outcome.PASSED),
    )
    [found] = judge("macvlan", {"forward-drop": NODE2}, checks).faults
    assert found == Found("forward-drop", 2, "data path: node [k8s-node2-forwarding]", DROP, NODE2)


def test_a_cause_that_the_suite_adds_to_a_failing_check_does_not_find_a_fault() -> None:
    run = judge("macvlan", {"forward-drop": NODE2}, [_check("node", f"{NODE2}-clock", "an hour behind")])
    assert run == Run("macvlan", (Found("forward-drop", 0, "", "", NODE2),), 1)


def test_a_check_of_another_node_does_not_find_a_fault() -> None:
    checks = [_check("node", "k8s-node1-forwarding", DROP), _check("node", "k8s-node20-forwarding", DROP)]
    [found] = judge("macvlan", {"forward-drop": NODE2}, checks).faults
    assert (found.naming, found.check) == (0, "")


@pytest.mark.parametrize(
    ("parameter", "concerned"),
    [
        (NODE2, True),
        ("k8s-node2-firewall", True),
        ("pod.k8s-node1-to-pod.k8s-node2", True),
        ("k8s-node20-firewall", False),
        ("my-k8s-node2", False),
        ("", False),
    ],
)
def test_a_check_concerns_the_nodes_of_its_parameter(parameter: str, concerned: bool) -> None:
    check = _check("node", parameter, "")
    assert concerns(check, NODE2) == concerned
    assert concerns(check, "")


def test_with_several_faults_in_a_failing_check_counts_once() -> None:
    checks = [_check("node", f"{NODE2}-forwarding", DROP), _check("node", "k8s-node1-clock", CLOCK)]
    run = judge("macvlan", {"forward-drop": NODE2, "clock-off": "k8s-node1"}, checks)
    assert run.failed == 2
    assert [(found.fault, found.naming) for found in run.faults] == [("clock-off", 1), ("forward-drop", 1)]
    assert "1 run with several faults at once, 2 put in altogether; 2 failing checks" in tables([run])


def test_own_words_come_from_the_suite_itself(tmp_path: Path) -> None:
    """What the suite's hook records of a failing check arrives by way of its JUnit report."""
    (tmp_path / "conftest.py").write_text(
        "from acceptance.conftest import pytest_runtest_makereport\n"
        "import pytest\n"
        "@pytest.fixture\n"
        "def broken():\n"
        "    pytest.fail('not made', pytrace=False)\n"
    )
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "def test_node():\n"
        "    pytest.fail('mine\\nand mine\\ncause: of all', pytrace=False)\n"
        "def test_with(broken): pass\n"
        "def test_good(): pass\n"
    )
    report = tmp_path / "report.xml"
    words = (*("-q", "-c", "/dev/null", "-o", "junit_family=xunit1"), f"--junitxml={report}", str(tmp_path))
    subprocess.run([sys.executable, "-m", "pytest", *words], check=False, capture_output=True)
    assert [check.own_words for check in read_checks(report)] == ["mine\nand mine", "not made", ""]


def test_a_run_takes_the_place_of_an_earlier_one_of_the_same_faults_and_of_no_other(tmp_path: Path) -> None:
    file = tmp_path / "faults.jsonl"
    other_mode = replace(ALONE, mode="bridge")
    write_runs((TOGETHER, ALONE, other_mode), file)
    again = replace(ALONE, failed=9)
    record(again, file)
    assert read_runs(file) == (other_mode, again, TOGETHER)


def test_a_new_run_changes_one_line_of_the_records(tmp_path: Path) -> None:
    file = tmp_path / "faults.jsonl"
    file.write_text(RECORDS.read_text())
    record(replace(ALONE, mode="routed", failed=1234), file)
    before, after = RECORDS.read_text().splitlines(), file.read_text().splitlines()
    [new] = [line for line in after if line not in before]
    assert '"failed": 1234' in new
    assert len([line for line in before if line not in after]) <= 1


def test_a_record_that_cannot_be_read_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "faults.jsonl"
    record(ALONE, file)
    file.write_text(file.read_text() + '{"mode": "macvlan"}\n')
    with pytest.raises(LabError, match=r"faults\.jsonl:2 cannot be read"):
        read_runs(file)


def test_what_is_on_record_with_own_words_is_not_tried_again() -> None:
    drop, clock = Wanted("forward-drop"), Wanted("clock-off")
    assert on_record("macvlan", [drop], [ALONE])
    assert on_record("macvlan", [drop, clock], [TOGETHER])
    assert not on_record("bridge", [drop], [ALONE])
    assert not on_record("macvlan", [clock], [ALONE, TOGETHER])
    assert not on_record("macvlan", [drop], [replace(ALONE, own_words=False)])


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (ALONE, f"| macvlan | forward-drop | `data path: node [k8s-node2-forwarding]` | {DROP} | 2 | 1 |"),
        (ALONE, "1 run with one fault: 1 found. Of 2 failing checks 1 name the fault in their own words."),
        (replace(ALONE, faults=(Found("clock-off", 0, "", ""),)), "| **not found** |  | 2 | 0 |"),
        (replace(ALONE, own_words=False), "0 runs with one fault: 0 found."),
        (TOGETHER, "| macvlan | clock-off, forward-drop | 7 | **not found**: clock-off |"),
        (replace(TOGETHER, faults=(FOUND, FOUND)), "| 7 | all 2 |"),
        (replace(TOGETHER, own_words=False), "| macvlan | clock-off, forward-drop | 7 | ? |"),
    ],
)
def test_the_tables_hide_nothing(run: Run, said: str) -> None:
    assert said in tables([run])


def test_every_fault_and_mode_has_a_cell_of_the_matrix() -> None:
    tried = {("macvlan", "forward-drop"): "**not found**", ("flannel-vxlan", "vrrp-split"): "✓"}
    lines = matrix(tried).splitlines()
    modes = [cell.strip() for cell in lines[0].split("|")[2:-1]]
    assert tuple(modes) == mode_names()
    rows = {cells[1].strip(): cells[2:-1] for line in lines[2:] if (cells := line.split("|"))[1:]}
    elsewhere = {fault.name for fault in CONTROL_PLANE_FAULTS} - {"vrrp-split"}
    assert sorted(rows) == sorted({fault.name for fault in FAULTS} - elsewhere)
    split = rows["vrrp-split"]
    assert [mode for mode, cell in zip(modes, split, strict=True) if cell.strip() != NOTHING] == [
        "flannel-vxlan"
    ]
    drop, label = rows["forward-drop"], rows["label-missing"]
    assert [mode for mode, cell in zip(modes, drop, strict=True) if cell.strip()] == ["macvlan"]
    assert drop[modes.index("macvlan")].strip() == "**not found**"
    assert [mode for mode, cell in zip(modes, label, strict=True) if cell.strip() != NOTHING] == ["hybridnet"]


def test_the_page_is_written_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "fault-trials.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    for _ in range(2):
        write_page([ALONE], page)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text


def test_a_lab_that_is_not_well_is_told() -> None:
    nodes = [{"name": "k8s-node1", "condition": "Ready"}, {"name": NODE2, "condition": "NotReady: why"}]
    well = {"state": "up", "nodes": nodes[:1], "problems": []}
    out = [{"name": "clock-off", "injected": False}]
    assert what_is_wrong(well, out) == []
    ill = {"state": "half made", "nodes": nodes, "problems": ["no DNS"]}
    assert what_is_wrong(ill, [*out, {"name": "disk-full", "injected": True}]) == [
        "it is half made",
        "k8s-node2 is NotReady: why",
        "no DNS",
        "the fault disk-full is in",
    ]


def test_a_fault_is_asked_for_with_its_node_or_without() -> None:
    assert Wanted.parse("clock-off") == Wanted("clock-off", "")
    assert Wanted.parse("clock-off@k8s-node1") == Wanted("clock-off", "k8s-node1")


def test_an_earlier_report_does_not_stand_for_a_suite_that_did_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a lab the suite ends before its first check."""
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    report = tmp_path / "report.xml"
    report.write_text('<testsuites><testsuite><testcase classname="a" name="b"/></testsuite></testsuites>')
    with pytest.raises(SystemExit, match="did not begin"):
        run_suite(report)
