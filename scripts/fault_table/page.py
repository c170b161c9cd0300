"""The tables of docs/fault-trials.md, made from what is on record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lab.faults.registry import FAULTS
from lab.foundation.files import write_atomically
from lab.modes.registry import mode_named, mode_names
from lab.topology.loader import load_topology
from lab.topology.mode_choice import ModeChoice
from lab.topology.planner import make_plan
from scripts.fault_table.records import Found, Run

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "fault-trials.md"
RECORDS = ROOT / "docs" / "faults.jsonl"
TOPOLOGY = ROOT / "topologies" / "underlay-3node.yaml"
BEGIN, END = "<!-- runs -->", "<!-- end of runs -->"
FOUND, NOT_FOUND, NOTHING, UNTOLD = "✓", "**not found**", "-", "?"
LEGEND = (
    f"{FOUND}: found; {NOT_FOUND}: no failing check names it in its own words;"
    f" {UNTOLD}: a failing check names it, in its own words or not; {NOTHING}: means nothing in that mode;"
    " empty: not tried alone yet."
)
ALONE = "| mode | fault | found by | in the words | failing checks | that name it |"
TOGETHER = "| mode | faults | failing checks | found by own words |"


def tables(runs: Iterable[Run]) -> str:
    """What the page shows of the runs: those with one fault each, then those with several at once."""
    known = list(runs)
    return "\n".join((_alone([run for run in known if run.alone]), "", *_together(known)))


def outcome(run: Run, found: Found) -> str:
    if not run.own_words:
        return UNTOLD
    return FOUND if found.check else NOT_FOUND


def _alone(runs: Sequence[Run]) -> str:
    told = [run for run in runs if run.own_words]
    counted = (
        f"{_number(len(told), 'run')} with one fault: {sum(bool(run.faults[0].check) for run in told)} found."
        f" Of {sum(run.failed for run in told)} failing checks {sum(run.faults[0].naming for run in told)}"
        " name the fault in their own words."
    )
    outcomes = {(run.mode, run.faults[0].fault): outcome(run, run.faults[0]) for run in runs}
    rows = [_row(run, run.faults[0]) for run in told]
    summary = (
        "<details markdown><summary>Each of these runs: which check found the fault, in which words</summary>"
    )
    each = ["", summary, "", ALONE, "|" + " --- |" * 6, *rows, "", "</details>"] if rows else []
    return "\n".join(["## One fault at a time", "", counted, "", matrix(outcomes), *each])


def _row(run: Run, found: Found) -> str:
    check = f"`{found.check}`" if found.check else NOT_FOUND
    words = found.words.replace("|", "\\|")
    return f"| {run.mode} | {found.fault} | {check} | {words} | {run.failed} | {found.naming} |"


def _together(runs: Sequence[Run]) -> list[str]:
    together = [run for run in runs if not run.alone]
    failed, faults = sum(run.failed for run in together), sum(len(run.faults) for run in together)
    return [
        "## Several faults at once",
        "",
        f"{_number(len(together), 'run')} with several faults at once, {faults} put in altogether;"
        f" {failed} failing checks, each counted once.",
        "",
        TOGETHER,
        "|" + " --- |" * 4,
        *map(_row_of_several, together),
    ]


def _row_of_several(run: Run) -> str:
    faults = ", ".join(found.fault for found in run.faults)
    missed = [found.fault for found in run.faults if not found.check]
    said = f"all {len(run.faults)}" if not missed else f"**not found**: {', '.join(missed)}"
    return f"| {run.mode} | {faults} | {run.failed} | {said if run.own_words else UNTOLD} |"


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def matrix(outcomes: Mapping[tuple[str, str], str]) -> str:
    """A table of Markdown, faults down, modes across; `outcomes` is by mode and fault.

    A fault that means nothing in the usual topology is left out until it was tried in another.
    """
    plan = make_plan(load_topology(TOPOLOGY))
    modes = mode_names()
    plans = {mode: plan.in_mode(ModeChoice.parse(mode)) for mode in modes}
    lines = [f"| fault | {' | '.join(modes)} |", "|" + " --- |" * (len(modes) + 1)]
    for fault in FAULTS:
        cells = [
            outcomes.get((mode, fault.name))
            or (NOTHING if fault.unfit(plans[mode], mode_named(mode)) else "")
            for mode in modes
        ]
        if set(cells) != {NOTHING}:
            lines.append(f"| {fault.name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", LEGEND])


def with_tables(page: str, runs: Iterable[Run]) -> str:
    """The text of the page with the tables of these runs in place of those that it has."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables(runs)}\n{END}{after}"


def write_page(runs: Iterable[Run], page: Path) -> None:
    write_atomically(page, with_tables(page.read_text(encoding="utf-8"), runs))
