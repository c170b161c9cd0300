"""The door out of a lab, on the command line."""

from __future__ import annotations

import click

from lab.cli.common import console, json_option, name_option, print_json, the_lab
from lab.cli.tables import outside_line
from lab.doors.proxies import NO_PROXIES, Proxies
from lab.operations.doors.outside import OutsideRequest, close_outside, open_outside, outside_status


@click.group()
def outside() -> None:
    """The door out of a lab: its nodes and pods reach what this host reaches, while it is open."""


@outside.command("open")
@click.option(
    "--network",
    "networks",
    multiple=True,
    metavar="NETWORK",
    help="Who comes from this network of the lab may leave (default: uplink); may be repeated.",
)
@click.option("--allow-host", is_flag=True, help="Programs that listen on this host may be reached too.")
@click.option(
    "--allow-lan", is_flag=True, help="Private addresses, such as this host's LAN, may be reached too."
)
@click.option("--no-proxy", is_flag=True, help="Nodes do not use the proxies of this host's environment.")
@name_option
def open_command(
    *, name: str | None, networks: tuple[str, ...], allow_host: bool, allow_lan: bool, no_proxy: bool
) -> None:
    """Open it, or mend it, or open it in another way. This host's firewall, routes and addresses stay.

    Container runtimes and apt on nodes use the proxies that the environment names (HTTPS_PROXY, NO_PROXY...).

    \b
    Example: lab outside open
             lab outside open --network uplink --network underlay --allow-lan
    """
    proxies = NO_PROXIES if no_proxy else Proxies.of_host()
    request = OutsideRequest(networks, allow_host, allow_lan, proxies)
    click.echo(outside_line(open_outside(the_lab(name), request, console())))


@outside.command("close")
@name_option
def close_command(name: str | None) -> None:
    """Close it: connections through it end, and the lab is as before.

    \b
    Example: lab outside close
    """
    was_open = close_outside(the_lab(name))
    click.echo("closed" if was_open else "it was not open")


@outside.command("status")
@json_option
@name_option
def status_command(*, name: str | None, as_json: bool) -> None:
    """Show whether it is open, for whom, and whether all of it is there.

    \b
    Example: lab outside status --json
    """
    found = outside_status(the_lab(name))
    if as_json:
        print_json(found.as_json())
    else:
        click.echo(outside_line(found))


COMMANDS = (outside,)
