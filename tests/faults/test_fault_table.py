"""The page of the faults says what is so, and the table is made as it says."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from lab.faults.registry import FAULTS
from lab.modes.registry import mode_names
from lab.operations.suite_page.results import Check, Outcome
from scripts import fault_table
from scripts.fault_matrix import NOTHING, matrix
from scripts.fault_table import (
    BEGIN,
    END,
    HEADER,
    PAGE,
    Trial,
    Wanted,
    judge,
    read_records,
    run_suite,
    table,
    write_page,
)
from scripts.fault_words import WORDS, line_that_names

TRIAL = Trial("macvlan", "forward-drop", "k8s-node2", 2, 1, "data path: node [forwarding]", "FORWARD", 60.0)

NODES = ("k8s-master1", "k8s-node1", "k8s-node2")


def _rows() -> list[list[str]]:
    lines = PAGE.read_text().partition(BEGIN)[2].partition(END)[0].partition(HEADER)[2].splitlines()
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| ")][1:]


def test_the_page_tells_every_fault_as_the_command_does() -> None:
    page = PAGE.read_text()
    assert [fault.name for fault in FAULTS if f"| `{fault.name}` | {fault.summary} |" not in page] == []
    assert sorted(WORDS) == sorted(fault.name for fault in FAULTS)


def test_every_fault_on_the_page_was_found_and_named() -> None:
    """What a run of scripts/fault-table has written: no fault that the suite missed or did not name."""
    for mode, shown, check, words, failed, naming in _rows():
        fault = shown.partition(" ")[0]
        assert check.startswith("`"), f"{fault} in {mode}: {check}"
        named = [node for node in NODES if line_that_names(fault, node, words)]
        assert named, f"{fault} in {mode}: {words}"
        assert int(naming) >= 0.9 * int(failed), f"{fault} in {mode}: {naming} of {failed} messages name it"


def _check(function: str, outcome: Outcome, evidence: str) -> Check:
    return Check("data path", function, "k8s-node2", outcome, 1.0, evidence)


def test_the_check_that_says_least_besides_is_the_one_that_found_it() -> None:
    cause = "FORWARD policy is DROP on k8s-node2 (iptables-legacy)"
    checks = (
        _check("reach", Outcome.FAILED, f"a table\ncause: {cause}"),
        _check("node", Outcome.FAILED, cause),
        _check("other", Outcome.FAILED, "something else"),
        _check("fine", Outcome.PASSED, cause),
    )
    assert judge("macvlan", "forward-drop", "k8s-node2", checks, 60.04) == Trial(
        "macvlan", "forward-drop", "k8s-node2", 3, 2, "data path: node [k8s-node2]", cause, 60.0
    )
    missed = judge("macvlan", "forward-drop", "k8s-node1", checks, 60.0)
    assert (missed.naming, missed.check) == (0, "")


def test_the_check_of_its_own_node_goes_before_others_that_say_it_too() -> None:
    cause = "FORWARD policy is DROP on k8s-node2 (iptables-legacy)"
    checks = (
        _check("of another node", Outcome.FAILED, f"elsewhere: {cause}"),
        _check("of its own", Outcome.FAILED, f"a table\ncause: {cause}"),
    )
    trial = judge("macvlan", "forward-drop", "k8s-node2", checks, 60.0)
    assert (trial.check, trial.words) == ("data path: of its own [k8s-node2]", cause)
    assert judge("macvlan", "forward-drop", "k8s-node2", checks[:1], 60.0).words == cause


@pytest.mark.parametrize(
    ("trial", "said"),
    [
        (TRIAL, "| `data path: node [forwarding]` | FORWARD | 2 | 1 |"),
        (replace(TRIAL, naming=0, check="", words=""), "| **not named** |"),
        (replace(TRIAL, beside=("clock-off",)), "| forward-drop (with 1 other) |"),
        (replace(TRIAL, failed=0, naming=0, check="", words=""), "| **not found** |"),
    ],
)
def test_a_row_hides_nothing(trial: Trial, said: str) -> None:
    assert said in table([trial])


def test_every_fault_and_mode_has_a_cell_of_the_matrix() -> None:
    lines = matrix({("macvlan", "forward-drop"): "**not found**"}).splitlines()
    modes = [cell.strip() for cell in lines[0].split("|")[2:-1]]
    assert tuple(modes) == mode_names()
    rows = {cells[1].strip(): cells[2:-1] for line in lines[2:] if (cells := line.split("|"))[1:]}
    assert sorted(rows) == sorted(fault.name for fault in FAULTS)
    drop, label = rows["forward-drop"], rows["label-missing"]
    assert [mode for mode, cell in zip(modes, drop, strict=True) if cell.strip()] == ["macvlan"]
    assert drop[modes.index("macvlan")].strip() == "**not found**"
    assert [mode for mode, cell in zip(modes, label, strict=True) if cell.strip() != NOTHING] == ["hybridnet"]


def test_the_page_is_written_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "faults.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    for _ in range(2):
        write_page([TRIAL], page)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "1 trials: 1 found, 1 named by a failing check. Of 2 failing checks 1 name the fault." in text


def test_a_later_trial_stands_for_an_earlier_one(tmp_path: Path) -> None:
    file = tmp_path / "faults.jsonl"
    assert read_records(file) == []
    beside = replace(TRIAL, fault="udp-dropped", beside=("clock-off",))
    trials = (TRIAL, beside, replace(TRIAL, failed=7))
    file.write_text("".join(json.dumps(asdict(trial)) + "\n" for trial in trials))
    assert read_records(file) == [trials[2], trials[1]]


def test_an_earlier_report_does_not_stand_for_a_suite_that_did_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = tmp_path / "report.xml"
    report.write_text('<testsuites><testsuite><testcase classname="a" name="b"/></testsuite></testsuites>')
    monkeypatch.setattr(fault_table.subprocess, "run", lambda *words, **settings: None)
    with pytest.raises(SystemExit, match="did not begin"):
        run_suite(report)


def test_a_fault_is_asked_for_with_its_node_or_without() -> None:
    assert Wanted.parse("clock-off") == Wanted("clock-off", "")
    assert Wanted.parse("clock-off@k8s-node1") == Wanted("clock-off", "k8s-node1")
