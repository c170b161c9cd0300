"""Trying faults on the lab that runs: put in, judged by the suite, taken out again."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.operations.suite_page.results import Check, Outcome, read_checks
from scripts.fault_table.records import Found, Run
from scripts.fault_table.words import line_that_names

ROOT = Path(__file__).resolve().parents[2]
REPORTS = ROOT / "reports"
"""Where the suite's JUnit reports of the runs stay."""
POD_SECONDS = 90
"""A pod that a fault keeps from its readiness is not waited for as long as on a lab that should be well."""
SUITE_LIMIT = 1800


@dataclass(frozen=True)
class Wanted:
    """A fault, and the node it is to be put on; empty for the one that `lab` takes."""

    fault: str
    node: str = ""

    @classmethod
    def parse(cls, text: str) -> Wanted:
        """From FAULT or FAULT@NODE."""
        fault, _, node = text.partition("@")
        return cls(fault, node)


def judge(mode: str, nodes: Mapping[str, str], checks: Sequence[Check]) -> Run:
    """What the checks of a run of the suite come to; `nodes` is the node of each fault that was in."""
    failed = {_title(check): check for check in checks if check.outcome is Outcome.FAILED}
    found = [_found(fault, node, failed) for fault, node in sorted(nodes.items())]
    return Run(mode=mode, faults=tuple(found), failed=len(failed))


def _found(fault: str, node: str, failed: Mapping[str, Check]) -> Found:
    """By the own words of checks that concern the fault's node; any check concerns a fault without a node."""
    naming = {
        title: line
        for title, check in failed.items()
        if concerns(check, node) and (line := line_that_names(fault, node, check.own_words))
    }
    best = min(naming, key=lambda title: len(failed[title].own_words), default="")
    return Found(fault=fault, naming=len(naming), check=best, words=naming.get(best, ""), node=node)


def concerns(check: Check, node: str) -> bool:
    """Whether the check is about the node; its parameter says which nodes it is about."""
    return not node or re.search(rf"(?<![\w-]){re.escape(node)}(?!\w)", check.parameter) is not None


def _title(check: Check) -> str:
    parameter = f" [{check.parameter}]" if check.parameter else ""
    return f"{check.topic}: {check.function}{parameter}"


def lab(*words: str) -> str:
    """What the `lab` command prints. Raises CalledProcessError when it fails."""
    return subprocess.run(["lab", *words], stdout=subprocess.PIPE, text=True, check=True).stdout


def _lab_json(*words: str) -> Any:
    return json.loads(lab(*words, "--json"))


def present_mode() -> str:
    return str(_lab_json("status")["mode"])


def fitting() -> list[str]:
    """The faults that mean something in the lab's present mode."""
    return [row["name"] for row in _lab_json("fault", "list") if not row["unfit"]]


def run_suite(report: Path) -> tuple[Check, ...]:
    """The checks of one run of the suite. Raises SystemExit when it did not begin."""
    report.parent.mkdir(exist_ok=True)
    report.unlink(missing_ok=True)
    words = ["acceptance/", "-q", "--no-header", "--tb=no", "--brief", f"--pod-seconds={POD_SECONDS}"]
    subprocess.run(
        [sys.executable, "-m", "pytest", *words, f"--junitxml={report}"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        timeout=SUITE_LIMIT,
        check=False,
    )
    checks = read_checks(report)
    if not checks:
        raise SystemExit("the acceptance suite did not begin: run `pytest acceptance/` to see why")
    return checks


@contextmanager
def faults_in(wanted: Sequence[Wanted]) -> Iterator[Mapping[str, str]]:
    """The node of each fault in the lab; they are taken out at the end, whatever happens.

    Raises SystemExit when the lab is not well afterwards.
    """
    try:
        for each in wanted:
            lab("fault", "inject", each.fault, *(["--node", each.node] if each.node else []))
        yield {row["name"]: row["node"] for row in _lab_json("fault", "list") if row["injected"]}
    finally:
        clear()


def judged_by_the_suite(mode: str, nodes: Mapping[str, str]) -> Run:
    """One run of the suite, with these faults in the lab. Its report stays."""
    which = next(iter(nodes)) if len(nodes) == 1 else "together"
    date, started = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    run = judge(mode, nodes, run_suite(REPORTS / f"faults-{mode.replace(':', '-')}-{which}.xml"))
    return replace(run, seconds=round(time.monotonic() - started, 1), date=date)


def clear() -> None:
    """Take all faults out. Raises SystemExit when the lab is not well then, with what is wrong."""
    lab("fault", "clear")
    if wrong := what_is_wrong(_lab_json("status"), _lab_json("fault", "list")):
        raise SystemExit("\n".join(("the lab is not well, so no fault is tried on it:", *wrong)))


def what_is_wrong(status: Mapping[str, Any], faults: Sequence[Mapping[str, Any]]) -> list[str]:
    """From what `lab status --json` and `lab fault list --json` print; empty for a lab that is well."""
    nodes = [
        f"{node['name']} is {node['condition']}" for node in status["nodes"] if node["condition"] != "Ready"
    ]
    state = [] if status["state"] == "up" else [f"it is {status['state']}"]
    return [
        *state,
        *nodes,
        *status["problems"],
        *(f"the fault {row['name']} is in" for row in faults if row["injected"]),
    ]
