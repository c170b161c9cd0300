"""A pytest plugin for a pod network of which nothing is known: it is told what is there, not judged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from acceptance.evidence import Evidence
from acceptance.found import Found, found_in
from acceptance.found_text import whole_report

CHECKS = "test_found.py"
"""The only checks that need no expectations."""
NEEDS_EXPECTATIONS = "not run: it needs expectations, and in the mode unknown there are none"

_FOUND = pytest.StashKey[Found]()


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """What needs expectations is told as not run."""
    for item in items:
        if item.path.name != CHECKS:
            item.add_marker(pytest.mark.skip(reason=NEEDS_EXPECTATIONS))


@pytest.fixture(scope="session")
def found(pytestconfig: pytest.Config, evidence: Evidence) -> Found:
    """What is there; written to the file of --found."""
    seen = found_in(evidence)
    pytestconfig.stash[_FOUND] = seen
    file: Path | None = pytestconfig.getoption("lab_found")
    if file is not None:
        file.write_text(seen.as_json(), encoding="utf-8")
    return seen


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if (seen := config.stash.get(_FOUND, None)) is not None:
        terminalreporter.section("what was found, without expectations")
        terminalreporter.write_line(whole_report(seen))
