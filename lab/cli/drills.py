"""Drills of several control planes: what happens when one fails, measured and judged."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from lab.cli.common import console, json_option, name_option, print_json, show_rows, the_lab
from lab.cli.tables import show_drills
from lab.drills.judgement import Held
from lab.drills.plot import plot_svg
from lab.drills.report import Report
from lab.drills.words import report_text
from lab.foundation.files import write_report
from lab.operations.drills.running import drill_rows, run_drill, undo_drill

EXIT = {Held.YES: 0, Held.NO: 1, Held.UNKNOWN: 6}


@click.group("drill")
def drill() -> None:
    """Drills of several control planes: let one fail, see who takes over when, and have it judged."""


@drill.command("list")
@json_option
@name_option
def list_drills(name: str | None, as_json: bool) -> None:
    """List all drills, and which of them the lab can have.

    \b
    Example: lab drill list
    """
    show_rows(drill_rows(the_lab(name)), show_drills, as_json=as_json)


@drill.command("run")
@click.argument("drill_name", metavar="NAME")
@click.option(
    "--write-every",
    type=click.FloatRange(min=0.01),
    metavar="S",
    help="Seconds from one write of the client to the next (default: 0.1; for a slow host 0.5).",
)
@name_option
@json_option
def run_(drill_name: str, write_every: float | None, name: str | None, as_json: bool) -> None:
    """Run a drill: a save point first, then a line each second, and a verdict at the end.

    A client writes through the load balancer meanwhile. The drill puts right what it did; `lab drill undo`
    goes back to the save point. JSON and a picture go to the folder reports. Exit status 1: not passed;
    6: not all could be seen.

    \b
    Example: lab drill run address-holder
    Example: lab drill run power-off --json
    """
    folder, progress = the_lab(name), console()
    report = run_drill(folder, drill_name, write_every, progress)
    target = _keep(report)
    progress.note(f"every row and write: {target}; picture: {target.with_suffix('.svg')}")
    if as_json:
        print_json(report.as_json())
    else:
        click.echo(report_text(report))
    sys.exit(EXIT[report.held])


@drill.command()
@name_option
def undo(name: str | None) -> None:
    """Bring the lab back to the save point that its last drill took.

    \b
    Example: lab drill undo
    """
    click.echo(f"back at the save point {undo_drill(the_lab(name), console())}")


def _keep(report: Report) -> Path:
    target = Path("reports") / f"drill-{report.lab}-{report.drill}.json"
    write_report(target, json.dumps(report.as_json(), indent=1))
    write_report(target.with_suffix(".svg"), plot_svg(report))
    return target


COMMANDS = (drill,)
