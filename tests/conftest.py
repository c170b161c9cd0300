"""What tests of several layers share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.topology.loader import load_topology
from lab.topology.plan import Plan
from lab.topology.planner import make_plan
from tests.strict_skips import pytest_addoption, pytest_make_collect_report, pytest_runtest_makereport

__all__ = ["pytest_addoption", "pytest_make_collect_report", "pytest_runtest_makereport"]
"""Hooks, for pytest to find them here."""

Golden = Callable[[Path, str], None]
TOPOLOGIES = Path(__file__).parents[1] / "topologies"


@pytest.fixture(scope="session", autouse=True)
def _english() -> None:
    """Tests read what `lab` says, wherever they are run."""
    os.environ["LAB_LANG"] = "en"


@pytest.fixture(scope="session", autouse=True)
def _only_packages() -> None:
    """No test may contact a mirror, whatever command it runs."""
    os.environ["LAB_SUPPLY"] = "packages"


@pytest.fixture(scope="session")
def plan() -> Plan:
    """The plan of the standard topology."""
    return make_plan(load_topology(TOPOLOGIES / "underlay-3node.yaml"))


@pytest.fixture
def compare_with_golden() -> Golden:
    """Compares a text with a file that holds what is right; UPDATE_GOLDEN=1 writes the file anew."""

    def compare(file: Path, text: str) -> None:
        if os.environ.get("UPDATE_GOLDEN") == "1":
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        assert file.is_file(), f"{file} is missing; if this text is right, run with UPDATE_GOLDEN=1\n{text}"
        assert text == file.read_text()

    return compare


@pytest.fixture
def given_to_caller(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What was given to user 1234, who called sudo."""
    paths: list[Path] = []

    def chown(path: Path, user: int, group: int, *, follow_symlinks: bool) -> None:
        assert (user, group, follow_symlinks) == (1234, 100, False)
        paths.append(path)

    monkeypatch.setenv("SUDO_UID", "1234")
    monkeypatch.setenv("SUDO_GID", "100")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", chown)
    return paths
