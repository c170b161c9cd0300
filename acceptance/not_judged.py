"""A pytest plugin: on a cluster that is too slow to be judged, one verdict in place of failed checks."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from acceptance.pace import Pace
from acceptance.patience import Patience

EXIT_STATUS = 6
"""Of a run of the suite that ended so; pytest's own end at 5."""

PATIENCE = pytest.StashKey[Patience]()
"""Where the run keeps its patience, once there is a cluster to be patient with."""
_VERDICT = pytest.StashKey[str]()
_SAID = pytest.StashKey[str]()
"""What the check that ended the run would have said."""


def verdict_on(pace: Pace) -> str:
    """The verdict, with its evidence and what to do."""
    return (
        f"not judged: the control plane is starved: {pace}. How to fix it: end other programs on the"
        " computer, or wait until it is less busy, then run the suite again"
    )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A check that failed on a starved cluster was not judged, and the run ends.

    For every failure it is measured again how fast the cluster works.
    """
    report = yield
    patience = item.config.stash.get(PATIENCE, None)
    if not report.failed or patience is None:
        return report
    patience.look()
    if (pace := patience.starved) is None:
        return report
    verdict = item.config.stash.setdefault(_VERDICT, verdict_on(pace))
    path, line, _ = item.location
    said = report.longreprtext
    item.config.stash.setdefault(_SAID, f"{item.nodeid}\n{said}")
    report.outcome = "skipped"
    report.longrepr = (path, (line or 0) + 1, f"{verdict}\nIt would have said:\n{said}")
    item.session.shouldstop = verdict
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if _VERDICT in session.config.stash:
        session.exitstatus = EXIT_STATUS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    patience = config.stash.get(PATIENCE, None)
    if (verdict := config.stash.get(_VERDICT, None)) is not None:
        terminalreporter.section("not judged")
        terminalreporter.write_line(verdict)
        terminalreporter.write_line(f"The check that would have failed: {config.stash[_SAID]}")
    elif patience is not None and (slowest := patience.slowest) is not None:
        terminalreporter.section("speed of the cluster, the slowest that was measured")
        terminalreporter.write_line(str(slowest))
