"""Does the acceptance suite find each known mistake? Tried on a running lab; the answer is a table.

Each trial puts a fault in, runs the suite, takes the fault out, and is written down at once, one JSON
object a line: a run that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lab.operations.suite_page.results import Check, Outcome, read_checks  # noqa: E402
from scripts.fault_matrix import matrix  # noqa: E402
from scripts.fault_words import line_that_names  # noqa: E402

PAGE = ROOT / "docs" / "faults.md"
RECORDS = ROOT / "reports" / "faults.jsonl"
BEGIN, END = "<!-- trials -->", "<!-- end of trials -->"
ELSEWHERE = "elsewhere: "
"""How the suite begins a cause that is not on the nodes that a check is about."""
POD_SECONDS = 90
SUITE_LIMIT = 1800
HEADER = "| mode | fault | found by | in the words | failing checks | that name it |"


@dataclass(frozen=True)
class Trial:
    """One fault in one mode, and what the suite said of it."""

    mode: str
    fault: str
    node: str
    """Empty for a fault that is not on one node."""
    failed: int
    """Checks that failed."""
    naming: int
    """Those of them whose message names the fault."""
    check: str
    """The one of those that says it of its own node, and least besides; empty when none names it."""
    words: str
    """Its line that names the fault."""
    seconds: float
    """How long the suite took."""
    beside: tuple[str, ...] = ()
    """Other faults that were in at the same time: what failed may be theirs."""

    @property
    def outcome(self) -> str:
        return "✓" if self.check else "**not named**" if self.failed else "**not found**"

    @property
    def row(self) -> str:
        found = f"`{self.check}`" if self.check else self.outcome
        words = self.words.replace("|", "\\|")
        beside = f" (with {len(self.beside)} other{'s' * (len(self.beside) > 1)})" if self.beside else ""
        return f"| {self.mode} | {self.fault}{beside} | {found} | {words} | {self.failed} | {self.naming} |"


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


def judge(mode: str, fault: str, node: str, checks: Sequence[Check], seconds: float) -> Trial:
    """What the checks of a run of the suite come to for one fault."""
    failed = [check for check in checks if check.outcome is Outcome.FAILED]
    naming = [(line, check) for check in failed if (line := line_that_names(fault, node, check.evidence))]
    line, best = min(
        naming,
        key=lambda named: (named[0].startswith(ELSEWHERE), len(named[1].evidence)),
        default=("", None),
    )
    return Trial(
        mode,
        fault,
        node,
        len(failed),
        len(naming),
        _title(best) if best else "",
        line.removeprefix("cause: ").removeprefix(ELSEWHERE),
        round(seconds, 1),
    )


def _title(check: Check) -> str:
    parameter = f" [{check.parameter}]" if check.parameter else ""
    return f"{check.topic}: {check.function}{parameter}"


def lab(*words: str) -> str:
    """What the `lab` command prints. Raises CalledProcessError when it fails."""
    return subprocess.run(["lab", *words], stdout=subprocess.PIPE, text=True, check=True).stdout


def run_suite(report: Path) -> tuple[Check, ...]:
    """The checks of one run of the suite. Raises SystemExit when it did not begin."""
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


def try_faults(mode: str, wanted: Sequence[Wanted]) -> list[Trial]:
    """Put the faults in, let the suite judge, take them out whatever happens. The suite's report stays."""
    names = [each.fault for each in wanted]
    try:
        for each in wanted:
            lab("fault", "inject", each.fault, *(["--node", each.node] if each.node else []))
        nodes = {row["name"]: row["node"] for row in json.loads(lab("fault", "list", "--json"))}
        started = time.monotonic()
        checks = run_suite(RECORDS.parent / f"faults-{mode}-{names[0]}-and-{len(names) - 1}.xml")
        seconds = time.monotonic() - started
        return [
            replace(
                judge(mode, name, nodes[name], checks, seconds),
                beside=tuple(other for other in names if other != name),
            )
            for name in names
        ]
    finally:
        lab("fault", "clear")


def fitting() -> list[str]:
    """The faults that mean something in the lab's present mode."""
    return [row["name"] for row in json.loads(lab("fault", "list", "--json")) if not row["unfit"]]


def present_mode() -> str:
    return str(json.loads(lab("status", "--json"))["mode"])


def read_records(file: Path) -> list[Trial]:
    """The trials on record, a later one of the same fault and mode in place of an earlier one."""
    if not file.exists():
        return []
    found: dict[tuple[str, str], Trial] = {}
    for line in file.read_text().splitlines():
        trial = _trial(json.loads(line))
        found[trial.mode, trial.fault] = trial
    return list(found.values())


def _trial(raw: dict[str, Any]) -> Trial:
    return Trial(**{**raw, "beside": tuple(raw.get("beside", ()))})


def table(trials: Iterable[Trial]) -> str:
    """The tables of the page, and how many were found."""
    known = list(trials)
    found = sum(bool(trial.failed) for trial in known)
    named = sum(bool(trial.naming) for trial in known)
    failed, naming = sum(trial.failed for trial in known), sum(trial.naming for trial in known)
    counted = (
        f"{len(known)} trials: {found} found, {named} named by a failing check."
        f" Of {failed} failing checks {naming} name the fault."
    )
    outcomes = {(trial.mode, trial.fault): trial.outcome for trial in known}
    each = [HEADER, "|" + " --- |" * 6, *(trial.row for trial in known)]
    summary = "<details><summary>Each trial: which check found it, in which words</summary>"
    return "\n".join([counted, "", matrix(outcomes), "", summary, "", *each, "", "</details>"])


def write_page(trials: Iterable[Trial], page: Path) -> None:
    """Replace the table of the page."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{table(trials)}\n{END}{after}")


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/fault-table", description=__doc__)
    parser.add_argument("--modes", metavar="M,N", help="rebuild the lab in each of these modes")
    parser.add_argument(
        "--faults",
        metavar="A,B@NODE",
        help="only these, on these nodes (default: all that mean something, on the last worker)",
    )
    parser.add_argument(
        "--together", action="store_true", help="all in one run of the suite, which must name each of them"
    )
    parser.add_argument("--name", metavar="LAB", help="the lab (default: LAB_NAME, or the only one)")
    parser.add_argument("--again", action="store_true", help="also those that are on record")
    parser.add_argument("--page-only", action="store_true", help="write the page from what is on record")
    given = parser.parse_args(arguments)
    if given.name:
        os.environ["LAB_NAME"] = given.name
    if not given.page_only:
        _try_all(given)
    write_page(read_records(RECORDS), PAGE)


def _try_all(given: Any) -> None:
    RECORDS.parent.mkdir(exist_ok=True)
    done = {(trial.mode, trial.fault) for trial in read_records(RECORDS)} if not given.again else set()
    for mode in given.modes.split(",") if given.modes else [present_mode()]:
        if present_mode() != mode:
            lab("rebuild", "--mode", mode)
        able = fitting()
        asked = [Wanted.parse(each) for each in given.faults.split(",")] if given.faults else None
        wanted = [
            each
            for each in asked or map(Wanted, able)
            if each.fault in able and (mode, each.fault) not in done
        ]
        for group in [wanted] if given.together else [[each] for each in wanted]:
            trials = try_faults(mode, group) if group else []
            with RECORDS.open("a") as records:
                records.writelines(json.dumps(asdict(trial)) + "\n" for trial in trials)
            for trial in trials:
                print(trial.row, flush=True)  # noqa: T201 - what it is for


if __name__ == "__main__":
    main(sys.argv[1:])
