"""Does the acceptance suite find each known mistake? Tried on the lab that runs, one fault after the other.

Each fault is put in, the suite judges, the fault is taken out, and the lab must be well again before the next
one. Each run is written to docs/faults.jsonl at once, in place of an earlier one of the same faults in that
mode; docs/fault-trials.md is written anew from all that is on record. What is on record is not tried again:
a run that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from scripts.fault_table.page import PAGE, RECORDS, outcome, write_page
from scripts.fault_table.records import Run, read_runs, record
from scripts.fault_table.trial import (
    Wanted,
    clear,
    faults_in,
    fitting,
    judged_by_the_suite,
    lab,
    present_mode,
)


def main(arguments: Sequence[str]) -> None:
    given = _parser().parse_args(arguments)
    if given.name:
        os.environ["LAB_NAME"] = given.name
    if not given.page_only:
        for mode in given.mode or [present_mode()]:
            _try_mode(mode, given.fault, together=given.together, again=given.again)
    write_page(read_runs(RECORDS), PAGE)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/fault-table", description=__doc__)
    parser.add_argument(
        "--mode", action="append", metavar="M", help="rebuild the lab in this mode first; may be repeated"
    )
    parser.add_argument(
        "--fault",
        action="append",
        type=Wanted.parse,
        metavar="F[@NODE]",
        help="only this one, on this node; may be repeated (default: all that mean something in the mode)",
    )
    parser.add_argument(
        "--together", action="store_true", help="all of them at once, in one run of the suite"
    )
    parser.add_argument("--again", action="store_true", help="also what is on record")
    parser.add_argument("--name", metavar="LAB", help="the lab (default: LAB_NAME, or the only one)")
    parser.add_argument("--page-only", action="store_true", help="write the page from what is on record")
    return parser


def _try_mode(mode: str, asked: Sequence[Wanted] | None, *, together: bool, again: bool) -> None:
    if present_mode() != mode:
        lab("rebuild", "--mode", mode)
    clear()
    able = fitting()
    wanted = [each for each in asked or map(Wanted, able) if each.fault in able]
    for group in [wanted] if together else [[each] for each in wanted]:
        if not again and on_record(mode, group, read_runs(RECORDS)):
            _tell(f"{mode}: {', '.join(each.fault for each in group)}: on record; --again tries it again")
            continue
        with faults_in(group) as nodes:
            run = judged_by_the_suite(mode, nodes)
            record(run, RECORDS)
        write_page(read_runs(RECORDS), PAGE)
        for found in run.faults:
            _tell(f"{mode}: {found.fault}: {outcome(run, found)} {found.check} {found.words}")


def on_record(mode: str, group: Sequence[Wanted], runs: Sequence[Run]) -> bool:
    """Whether a run with just these faults is on record, with the checks' own words."""
    names = sorted(each.fault for each in group)
    return any(
        run.mode == mode and run.own_words and sorted(found.fault for found in run.faults) == names
        for run in runs
    )


def _tell(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - what it is for


if __name__ == "__main__":
    main(sys.argv[1:])
