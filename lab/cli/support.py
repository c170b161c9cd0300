"""What a user sends to whoever is to help."""

from __future__ import annotations

from pathlib import Path

import click

from lab.cli.common import console, json_option, name_option, print_json, the_lab
from lab.operations.support import write_support

LONGEST_CAPTURE = 60
"""Seconds."""


@click.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--capture",
    type=click.IntRange(1, LONGEST_CAPTURE),
    default=None,
    metavar="SECONDS",
    help="Also capture what passes the NICs of each node, for so long.",
)
@json_option
@name_option
def support(name: str | None, file: Path | None, capture: int | None, as_json: bool) -> None:
    """Write logs, records, versions and the state of cluster and nodes into one archive, without secrets.

    What cannot be had, as of a node that hangs, is named in its INDEX.

    \b
    Example: lab support
    Example: lab support report.tar.gz --capture 5
    """
    archive = write_support(the_lab(name), file, capture or 0, console())
    if as_json:
        print_json(archive.as_json())
        return
    click.echo(f"{archive.path}: {len(archive.files)} files, {archive.redactions} secrets left out")
    for what, why in sorted(archive.missing.items()):
        click.echo(f"  missing: {what}: {why}")


COMMANDS = (support,)
"""One command."""
