"""The door of a lab to a real LAN, on the command line."""

from __future__ import annotations

import click

from lab.cli.common import console, json_option, name_option, print_json, the_lab
from lab.cli.tables import lan_line
from lab.operations.doors.real_lan import close_lan, lan_status, open_lan


@click.group()
def lan() -> None:
    """A real LAN: a device of this host is a port of the lab's underlay, while it is open."""


@lan.command("open")
@click.argument("device", metavar="NIC")
@name_option
def open_command(*, device: str, name: str | None) -> None:
    """Open or mend it, unless an address of the lab is in use there. This host keeps the device as it is.

    \b
    Example: lab lan open enp3s0
    """
    click.echo(lan_line(open_lan(the_lab(name), device, console())))


@lan.command("close")
@name_option
def close_command(name: str | None) -> None:
    """Close it: the lab's underlay is its own again.

    \b
    Example: lab lan close
    """
    click.echo("closed" if close_lan(the_lab(name)) else "it was not open")


@lan.command("status")
@json_option
@name_option
def status_command(*, name: str | None, as_json: bool) -> None:
    """Show whether it is open, and whether all of it is there.

    \b
    Example: lab lan status --json
    """
    found = lan_status(the_lab(name))
    if as_json:
        print_json(found.as_json())
    else:
        click.echo(lan_line(found))


COMMANDS = (lan,)
