"""The acceptance suite as a command."""

from __future__ import annotations

import sys

import click

from lab.cli.common import console, name_option, the_lab
from lab.operations.testing import run_acceptance


@click.command()
@click.option("--mode", "modes", metavar="M[,N]", help="Rebuild the lab in these modes, one after the other.")
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
@name_option
def test(name: str | None, modes: str | None, pytest_arguments: tuple[str, ...]) -> None:
    """Run the acceptance suite; writes JUnit XML beside the lab's logs.

    \b
    Example: lab test
    Example: lab test --mode macvlan,flannel-vxlan
    Example: lab test -- -k matrix -x
    """
    wanted = tuple(modes.split(",")) if modes else ()
    sys.exit(run_acceptance(the_lab(name), wanted, pytest_arguments, console()))


COMMANDS = (test,)
