"""The command that shows the steps of `lab up`."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import click

from lab.cli.common import json_option, name_option, print_json, the_lab
from lab.cli.tables import show_rows
from lab.operations.lab_steps import StepDetails, StepRow, step_of_lab, steps_of_lab


@click.command()
@click.argument("step", required=False, metavar="[STEP]")
@name_option
@json_option
def steps(step: str | None, name: str | None, *, as_json: bool) -> None:
    """Show the steps of `lab up` and how far the lab is; of one STEP, its files, units and own check.

    `lab up --until STEP` ends after a step; `lab up` goes on with the first that is not done.

    \b
    Example: lab steps
    Example: lab steps etcd
    """
    lab = the_lab(name)
    if step is None:
        _show_all(steps_of_lab(lab), as_json=as_json)
    else:
        _show_one(step_of_lab(lab, step), as_json=as_json)


def _show_all(rows: Sequence[StepRow], *, as_json: bool) -> None:
    if as_json:
        print_json([row.as_json() for row in rows])
    else:
        show_rows(("step", "what", "state"), [(row.key, row.name, row.state) for row in rows])


def _show_one(step: StepDetails, *, as_json: bool) -> None:
    if as_json:
        print_json(step.as_json())
        return
    click.echo(f"{step.row.key}: {step.row.name}: {step.row.state}")
    for file in step.files:
        click.echo(f"file {file.path} ({', '.join(file.nodes)})")
    for unit in step.units:
        click.echo(f"unit {unit}.service")
    for node, check, well in step.checks:
        click.echo(f"check on {node}: {'it ends well' if well else 'it fails'}")
        click.echo(textwrap.indent(check, "  "))


COMMANDS = (steps,)
