"""A skipped test proves nothing: with --strict-skips it fails, unless its reason is an expected one."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

import pytest

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

EXPECTED = (
    "only x86-64 processors have this counter",
    "this kernel has no macvlan, veth or bridge",
)
"""Reasons that lie in the machine and that nothing on it can be set up to change."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--strict-skips",
        action="store_true",
        help="a test that is skipped fails, unless its reason is in EXPECTED of tests/strict_skips.py",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    return _judged(report, item.config)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    return _judged(report, collector.config)


def _judged(report: Report, config: pytest.Config) -> Report:
    if not config.getoption("strict_skips") or not report.skipped or hasattr(report, "wasxfail"):
        return report
    reason = _reason(report)
    if reason not in EXPECTED:
        report.outcome = "failed"
        report.longrepr = f"skipped: {reason}. No test may be skipped here; set up what it lacks"
    return report


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    return said.removeprefix("Skipped: ")
