"""The acceptance suite as a command."""

from __future__ import annotations

import sys

import click

from lab.cli.common import console, discard_option, modes_wanted, name_option, the_lab
from lab.cli.tables import show_suite_runs
from lab.operations.testing import exit_status, run_acceptance


@click.command()
@click.option(
    "--mode",
    "modes",
    metavar="M[,N]",
    help="Rebuild the lab in each of these modes; what you made is kept in the save point `undo`. "
    "`unknown`: leave it as it is, find out what pod network is there, and judge nothing.",
)
@click.option("--all-modes", is_flag=True, help="Rebuild the lab in each mode that it can run.")
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
@discard_option
@name_option
def test(
    *, name: str | None, modes: str | None, all_modes: bool, discard: bool, pytest_arguments: tuple[str, ...]
) -> None:
    """Run the acceptance suite; writes JUnit XML to the folder reports, one file per mode.

    Exit status 6: the cluster was too slow to be judged, and nothing failed.

    \b
    Example: lab test
    Example: lab test --mode macvlan,flannel-vxlan
    Example: lab test --mode macvlan:host_shim=false
    Example: lab test --all-modes
    Example: lab test --mode unknown
    Example: lab test -- -k matrix -x
    """
    if modes and all_modes:
        raise click.UsageError("--mode and --all-modes cannot be used together")
    lab = the_lab(name)
    wanted = modes_wanted(lab, modes, all_modes=all_modes)
    runs = run_acceptance(lab, wanted, pytest_arguments, console(), discard=discard)
    if len(runs) > 1:
        show_suite_runs(runs)
    sys.exit(exit_status(runs))


COMMANDS = (test,)
