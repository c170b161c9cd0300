"""A pytest plugin: on a cluster that is too slow, a check that would fail is not judged."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from acceptance.pace import Pace
from acceptance.patience import Patience

EXIT_STATUS = 6
"""Of a run of the suite in which no check failed but some were not judged; pytest's own end at 5."""

PATIENCE = pytest.StashKey[Patience]()
"""Where the run keeps its patience, once there is a cluster to be patient with."""
NOT_JUDGED = pytest.StashKey[dict[str, str]]()
"""What each check that was not judged would have said, by its name."""


def verdict_on(pace: Pace) -> str:
    """The verdict, with its evidence and what to do."""
    return (
        f"not judged: the control plane is starved: {pace}. How to fix it: end other programs on the"
        " computer, or wait until it is less busy, then run the suite again"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[NOT_JUDGED] = {}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A check that failed on a starved cluster was not judged.

    For a failure it is measured again how fast the cluster works.
    """
    report = yield
    patience = item.config.stash.get(PATIENCE, None)
    if not report.failed or patience is None:
        return report
    if patience.starved is None:
        patience.look()
    if (pace := patience.starved) is None:
        return report
    path, line, _ = item.location
    said = report.longreprtext
    item.config.stash[NOT_JUDGED][item.nodeid] = said
    report.outcome = "skipped"
    report.longrepr = (path, (line or 0) + 1, f"{verdict_on(pace)}\nIt would have said:\n{said}")
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.stash[NOT_JUDGED] and not session.testsfailed:
        session.exitstatus = EXIT_STATUS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    patience = config.stash.get(PATIENCE, None)
    if patience is None:
        return
    if patience.starved is not None and (would_say := config.stash[NOT_JUDGED]):
        terminalreporter.section(f"not judged: {len(would_say)}")
        terminalreporter.write_line(verdict_on(patience.starved))
        for check, said in would_say.items():
            terminalreporter.write_line(f"The check that would have failed: {check}\n{said}")
    elif patience.slowest is not None:
        terminalreporter.section("speed of the cluster, the slowest that was measured")
        terminalreporter.write_line(str(patience.slowest))
