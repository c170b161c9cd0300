"""A fault is on record before it is put in, and until it is out again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab.faults.fault import Before, Fault, Scope, Site
from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.operations import faults
from lab.operations.context import Lab
from lab.operations.faults import (
    clear_faults,
    fault_rows,
    faults_after_revert,
    faults_in_machines,
    inject_fault,
)
from lab.state.faults import InjectedFault, read_faults, write_faults
from lab.state.records import LabRecord, SnapshotRecord, read_record, save_topology, write_record
from lab.topology.loader import find_topology
from lab.topology.models import NodeRole
from lab.topology.plan import NodePlan

DONE: list[str] = []
QUIET = SilentProgress()


class EndedError(LabError):
    """Stands for whatever ends a command in the middle."""


def _does(what: str, fails: list[bool]) -> Fault:
    def inject(site: Site, node: NodePlan, before: Before) -> None:
        DONE.append(f"{what} in {node.name} {before['was']}")
        if fails and fails.pop():
            raise EndedError("ended")

    def clear(site: Site, node: NodePlan, before: Before) -> None:
        DONE.append(f"{what} out {node.name} {before['was']}")
        if fails and fails.pop():
            raise EndedError("ended")

    def remember(site: Site, node: NodePlan) -> Before:
        DONE.append(f"{what} remembered")
        return {"was": str(len(DONE))}

    return Fault(what, "", inject, clear, remember)


@pytest.fixture
def fails() -> list[bool]:
    """Whether the next pieces of work of the fault `broken` are ended, the last one first."""
    return []


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: list[bool]) -> LabFolder:
    """A lab on paper that knows three faults."""
    DONE.clear()
    folder = LabFolder(tmp_path / "a")
    save_topology(folder, find_topology("underlay-3node"))
    write_record(folder, LabRecord("a", mode="macvlan", supply="packages", created=""))
    everything = (
        _does("whole", []),
        _does("broken", fails),
        replace(_does("lan", []), scope=Scope.LAN),
        replace(_does("misplaced", []), unfit=lambda plan, mode: f"{mode.name} has no such thing"),
        replace(_does("worker", []), only=NodeRole.WORKER),
    )
    monkeypatch.setattr(faults, "FAULTS", everything)
    monkeypatch.setattr(faults, "fault_named", {fault.name: fault for fault in everything}.__getitem__)
    monkeypatch.setattr(faults, "_at_work", Lab.open)
    monkeypatch.setattr(faults, "_site", lambda lab, at: None)
    monkeypatch.setattr(faults, "wait_until_lab_is_well", lambda lab, progress: DONE.append("well"))
    return folder


def names(folder: LabFolder) -> list[str]:
    return [injected.name for injected in read_faults(folder)]


def test_a_fault_is_put_on_the_last_worker_and_taken_out(folder: LabFolder) -> None:
    injected = inject_fault(folder, "whole", None, QUIET)
    assert (injected.node, read_faults(folder)) == ("k8s-node2", (injected,))
    assert clear_faults(folder, None, QUIET) == (injected,)
    assert read_faults(folder) == ()
    assert DONE == ["whole remembered", "whole in k8s-node2 1", "whole out k8s-node2 1", "well"]


def test_what_was_before_is_asked_once(folder: LabFolder) -> None:
    for _ in range(2):
        inject_fault(folder, "whole", "k8s-node1", QUIET)
    assert DONE == ["whole remembered", "whole in k8s-node1 1", "whole in k8s-node1 1"]


def test_a_fault_that_is_half_in_can_be_taken_out(folder: LabFolder, fails: list[bool]) -> None:
    fails.append(True)
    with pytest.raises(EndedError):
        inject_fault(folder, "broken", None, QUIET)
    assert names(folder) == ["broken"]
    clear_faults(folder, "broken", QUIET)
    assert names(folder) == []


def test_a_fault_that_is_half_out_stays_on_record(folder: LabFolder, fails: list[bool]) -> None:
    inject_fault(folder, "whole", None, QUIET)
    inject_fault(folder, "broken", None, QUIET)
    fails.append(True)
    with pytest.raises(EndedError):
        clear_faults(folder, None, QUIET)
    assert names(folder) == ["whole", "broken"]
    clear_faults(folder, None, QUIET)
    assert names(folder) == []
    assert DONE[-3:] == ["broken out k8s-node2 3", "whole out k8s-node2 1", "well"]


def test_while_another_fault_is_in_nobody_waits_for_a_healthy_cluster(folder: LabFolder) -> None:
    inject_fault(folder, "whole", None, QUIET)
    inject_fault(folder, "broken", None, QUIET)
    clear_faults(folder, "broken", QUIET)
    assert names(folder) == ["whole"]
    assert "well" not in DONE


def test_clearing_a_lab_without_faults_does_nothing(folder: LabFolder) -> None:
    assert clear_faults(folder, None, QUIET) == ()
    assert clear_faults(folder, "whole", QUIET) == ()
    assert DONE == []


def test_what_is_wrong_use_is_refused_before_anything_is_done(folder: LabFolder) -> None:
    for name, node, said in (
        ("misplaced", None, "does not apply in mode macvlan: macvlan has no such thing"),
        ("lan", "k8s-node1", "applies to the LAN, not to one node"),
        ("worker", "k8s-master1", "cannot be injected on the node k8s-master1"),
        ("whole", "k8s-node3", "cannot be injected on the node k8s-node3"),
    ):
        with pytest.raises(WrongUseError, match=said):
            inject_fault(folder, name, node, QUIET)
    inject_fault(folder, "whole", "k8s-node1", QUIET)
    with pytest.raises(WrongUseError, match="is already injected on k8s-node1"):
        inject_fault(folder, "whole", "k8s-node2", QUIET)
    assert DONE == ["whole remembered", "whole in k8s-node1 1"]


def test_what_is_in_is_listed(folder: LabFolder) -> None:
    inject_fault(folder, "whole", None, QUIET)
    inject_fault(folder, "lan", None, QUIET)
    rows = {row.name: row for row in fault_rows(folder)}
    assert [row.name for row in rows.values() if row.injected] == ["whole", "lan"]
    assert (rows["whole"].node, rows["lan"].node) == ("k8s-node2", "")
    assert rows["misplaced"].unfit == "macvlan has no such thing"
    assert rows["whole"].as_json()["since"]


def test_machines_that_go_back_to_a_clean_snapshot_leave_no_fault(folder: LabFolder) -> None:
    inject_fault(folder, "whole", None, QUIET)
    inject_fault(folder, "lan", None, QUIET)
    faults_after_revert(Lab.open(folder, QUIET), ())
    assert names(folder) == []
    assert [done for done in DONE if " out " in done] == ["lan out k8s-node2 3"]


def test_a_snapshot_brings_its_own_faults_back(folder: LabFolder) -> None:
    inject_fault(folder, "whole", None, QUIET)
    inject_fault(folder, "lan", None, QUIET)
    saved = faults_in_machines(folder)
    assert [injected.name for injected in saved] == ["whole"]
    clear_faults(folder, "whole", QUIET)
    faults_after_revert(Lab.open(folder, QUIET), saved)
    assert names(folder) == ["lan", "whole"]


def test_a_snapshots_faults_are_in_the_labs_record(folder: LabFolder) -> None:
    record = read_record(folder)
    assert record is not None
    fault = InjectedFault("whole", "k8s-node2", "2024-01-01T00:00:00+00:00", {"was": "1"})
    saved = SnapshotRecord("mine", "macvlan", True, "2024-01-01T00:00:00+00:00", "", (fault,))
    write_record(folder, replace(record, snapshots=(saved,)))
    again = read_record(folder)
    assert again is not None
    assert again.snapshots == (saved,)


def test_a_broken_record_of_faults_names_the_way_out(folder: LabFolder) -> None:
    write_faults(folder, ())
    folder.faults.write_text("[{]")
    with pytest.raises(LabError) as caught:
        read_faults(folder)
    assert caught.value.resolution == "lab rebuild --name a"
