from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import ConsoleProgress, Progress
from lab.operations import testing
from lab.operations.keeping.filling import modes_for
from lab.operations.testing import NOT_JUDGED, SuiteRun, exit_status, run_acceptance
from lab.state.records import LabRecord, read_record, save_topology, write_record
from lab.topology.loader import find_topology

SUITE = """
def test_right(): pass
def test_wrong(): assert False
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabFolder:
    """A lab in mode macvlan, and a suite with two checks of which one fails."""
    suite = tmp_path / "suite"
    suite.mkdir()
    (suite / "test_all.py").write_text(SUITE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(testing, "SUITE", suite)
    images = ("registry.lab.internal/flannel:v0.28.4",)
    record = LabRecord(
        "a-lab",
        mode="macvlan",
        supply="packages",
        created="",
        runtime="containerd",
        accelerator="qemu",
        images=images,
    )
    folder = LabFolder(tmp_path / "a-lab")
    save_topology(folder, find_topology("underlay-3node"))
    write_record(folder, record)
    return folder


def run(folder: LabFolder, *modes: str) -> tuple[SuiteRun, ...]:
    return run_acceptance(folder, modes, ("-q", "-p", "no:cacheprovider"), ConsoleProgress(io.StringIO()))


def test_a_mode_that_does_not_come_up_does_not_end_the_matrix(
    folder: LabFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    rebuilt = []

    def rebuild(folder: LabFolder, mode: str, progress: Progress) -> None:
        rebuilt.append(mode)
        if mode == "ipvlan-l2":
            raise LabError("a node is gone", resolution="none")

    monkeypatch.setattr(testing, "rebuild_lab", rebuild)
    ipvlan, macvlan = run(folder, "ipvlan-l2", "macvlan")
    assert rebuilt == ["ipvlan-l2", "macvlan"]
    assert (ipvlan.passed, ipvlan.problem, ipvlan.checks) == (False, "a node is gone", 0)
    assert (macvlan.passed, macvlan.problem, macvlan.checks, macvlan.failures) == (False, "", 2, 1)
    assert Path("reports/acceptance-a-lab-macvlan.xml").exists()
    page = Path("reports/acceptance-a-lab.html").read_text()
    assert "a node is gone" in page
    assert "1 of 2 failed" in page


def test_a_lab_that_never_came_up_in_its_mode_is_rebuilt_in_it(
    folder: LabFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    rebuilt: list[str] = []
    monkeypatch.setattr(testing, "rebuild_lab", lambda folder, mode, progress: rebuilt.append(mode))
    assert run(folder, "macvlan")[0].checks == 2
    assert rebuilt == ["macvlan"]


def test_a_cluster_that_is_too_slow_is_neither_right_nor_wrong(
    folder: LabFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (testing.SUITE / "conftest.py").write_text(
        f"def pytest_sessionfinish(session): session.exitstatus = {NOT_JUDGED}"
    )
    (slow,) = run(folder)
    assert (slow.passed, slow.judged) == (False, False)
    assert slow.problem == "not judged: the control plane is starved"
    assert exit_status([slow]) == NOT_JUDGED
    right = replace(slow, passed=True, judged=True)
    wrong = replace(right, passed=False)
    assert (exit_status([right]), exit_status([right, slow, wrong])) == (0, 1)
    assert exit_status([right, slow]) == NOT_JUDGED


def test_a_matrix_that_is_interrupted_shows_the_modes_so_far(
    folder: LabFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rebuild(folder: LabFolder, mode: str, progress: Progress) -> None:
        if mode == "routed":
            raise KeyboardInterrupt

    monkeypatch.setattr(testing, "rebuild_lab", rebuild)
    with pytest.raises(KeyboardInterrupt):
        run(folder, "macvlan", "routed")
    assert "1 of 2 failed" in Path("reports/acceptance-a-lab.html").read_text()


def test_reports_belong_to_the_user_who_called_sudo(folder: LabFolder, given_to_caller: list[Path]) -> None:
    run(folder)
    reports = [Path("reports") / name for name in ("acceptance-a-lab-macvlan.xml", "acceptance-a-lab.html")]
    assert given_to_caller == [Path("reports"), *reports]


def test_unknown_modes_are_told_before_anything_starts(
    folder: LabFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(testing, "rebuild_lab", lambda *arguments: pytest.fail("rebuilt"))
    with pytest.raises(WrongUseError, match="there is no mode macvaln"):
        run(folder, "flannel-vxlan", "macvaln")


def test_the_one_mode_it_has_is_judged_as_it_is(folder: LabFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testing, "rebuild_lab", lambda *arguments: pytest.fail("rebuilt"))
    (only,) = run(folder)
    assert (str(only.mode), only.rebuild_seconds, only.checks) == ("macvlan", 0.0, 2)
    record = read_record(folder)
    assert record is not None
    write_record(folder, replace(record, ready=True))
    assert run(folder, "macvlan")[0].checks == 2


def test_all_modes_are_those_that_the_topology_can_have(folder: LabFolder) -> None:
    found = modes_for(folder, ConsoleProgress(io.StringIO()))
    assert {"macvlan", "macvlan:host_shim=false", "bridge", "routed", "flannel-ipip"} <= set(found)
    assert "hybridnet" not in found  # the box of this lab has no image of it
    assert "calico-vxlan" in found  # whose images are on demand


def test_a_network_of_the_users_own_is_looked_at_as_it_is(
    folder: LabFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(testing, "rebuild_lab", lambda *arguments: pytest.fail("rebuilt"))
    monkeypatch.setattr(testing, "_traced_paths", lambda *arguments: pytest.fail("a path of the lab's mode"))
    (testing.SUITE / "conftest.py").write_text(
        "def pytest_addoption(parser):\n"
        "    parser.addoption('--found')\n"
        "    parser.addoption('--mode')\n"
        "def pytest_configure(config):\n"
        "    open(config.getoption('--found'), 'w').write(config.getoption('--mode'))\n"
    )
    (only,) = run(folder, "unknown")
    assert (str(only.mode), only.rebuild_seconds, only.checks) == ("unknown", 0.0, 2)
    assert Path("reports/found-a-lab.json").read_text() == "unknown"
    assert Path("reports/acceptance-a-lab-unknown.xml").exists()
    assert "whatever pod network is there" in Path("reports/acceptance-a-lab.html").read_text()


def test_an_unknown_network_is_not_one_of_several_modes(folder: LabFolder) -> None:
    with pytest.raises(WrongUseError, match="unknown is no mode that a lab could be rebuilt in"):
        run(folder, "macvlan", "unknown")
