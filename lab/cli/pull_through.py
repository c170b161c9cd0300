"""Pull-through, on the command line: a part of `lab image`."""

from __future__ import annotations

import click

from lab.cli.common import console, json_option, name_option, print_json, the_lab
from lab.cli.tables import through_line
from lab.operations.doors.pull_through import close_through, open_through, through_status


@click.group()
def through() -> None:
    """Pull-through: while it is open, nodes pull any image by its own name, by way of this host."""


@through.command("open")
@name_option
def open_command(name: str | None) -> None:
    """Open or mend it: what the cache lacks comes from the mirrors and registries that this host reaches.

    \b
    Example: lab image through open
    """
    click.echo(through_line(open_through(the_lab(name), console())))


@through.command("close")
@name_option
def close_command(name: str | None) -> None:
    """Close it: nodes have the images that they have, and pull no others.

    \b
    Example: lab image through close
    """
    was_open = close_through(the_lab(name))
    click.echo("closed" if was_open else "it was not open")


@through.command("status")
@json_option
@name_option
def status_command(*, name: str | None, as_json: bool) -> None:
    """Show whether it is open, and whether all of it is there.

    \b
    Example: lab image through status --json
    """
    found = through_status(the_lab(name))
    if as_json:
        print_json(found.as_json())
    else:
        click.echo(through_line(found))
