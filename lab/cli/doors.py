"""Doors into a lab: ports of the host, and a browser on it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from ipaddress import ip_address

import click

from lab.cli.common import console, name_option, the_lab
from lab.cli.endings import EndedError
from lab.doors.spec import ForwardSpec
from lab.foundation.errors import WrongUseError
from lab.foundation.progress import Progress
from lab.operations.context import Lab
from lab.operations.doors.forwarding import (
    OpenPort,
    open_ports,
    serve,
    serve_in_background,
    stop_forwards,
    targets_of,
)
from lab.operations.doors.opening import open_service, show_in_browser

EXAMPLE = "lab forward 8080:svc/web"


@click.command()
@click.argument("what", nargs=-1, metavar="[ADDRESS:]PORT:TARGET...")
@click.option(
    "--background", "-b", is_flag=True, help="Return at once; `lab status` lists what is forwarded."
)
@click.option("--stop", is_flag=True, help="End the forwards of these ports, or all: --stop [PORT...].")
@name_option
def forward(name: str | None, what: tuple[str, ...], background: bool, stop: bool) -> None:
    """Let ports of this host lead into the lab, until Ctrl-C, `--stop` or `lab down`. TCP only.

    TARGET is a Service (svc/[NAMESPACE/]NAME[:PORT]), a workload (deploy/, sts/ or ds/), a pod
    (NAMESPACE/NAME[:PORT]), a node's port (NODE:PORT), an address of the lab with its port, lan-host, or api.
    PORT 0 is one that is free. Without ADDRESS only this host can connect, by 127.0.0.1 and ::1.

    \b
    Example: lab forward 8080:svc/web
             lab forward --background 8443:api 2222:k8s-node1:22
             lab forward --stop 8080
    """
    if stop:
        _stop(name, what, background=background)
        return
    if not what:
        raise WrongUseError("nothing is named to be forwarded", resolution=EXAMPLE)
    specs = [ForwardSpec.parse(each) for each in what]
    progress = console()
    with ExitStack() as stack:
        ports = open_ports(specs, stack)
        lab = Lab.open(the_lab(name), progress)
        targets = targets_of(lab, [port.target for port in ports])
        if background:
            serve_in_background(lab, ports, targets)
        _show(ports, map(str, targets), progress)
        if not background:
            sys.stdout.flush()
            # This is how it ends: nothing was interrupted.
            with suppress(KeyboardInterrupt, EndedError):
                serve(lab, ports, targets, background=False, tell=progress.note)


def _stop(name: str | None, ports: tuple[str, ...], *, background: bool) -> None:
    wrong = [port for port in ports if not port.isdecimal()]
    if wrong or background:
        raise WrongUseError(
            f"{wrong[0]} is no port" if wrong else "--stop and --background exclude each other",
            resolution="lab forward --stop 8080",
        )
    ended = stop_forwards(the_lab(name), [int(port) for port in ports])
    for each in ended:
        click.echo(f"ended: {' and '.join(each.listens)} to {each.target}")
    if not ended:
        click.echo("nothing was forwarded")


def _show(ports: Iterable[OpenPort], targets: Iterable[str], progress: Progress) -> None:
    for port, target in zip(ports, targets, strict=True):
        click.echo(f"{' and '.join(port.listens)} to {target}")
        for address in port.addresses:
            if not ip_address(address).is_loopback:
                progress.note(f"everybody who can reach {address} on this host can now connect to {target}")


@click.command(name="open")
@click.argument("service", metavar="SVC")
@name_option
def open_command(name: str | None, service: str) -> None:
    """Open a Service in the browser of this host, through a free port that is forwarded in the background.

    SVC is [NAMESPACE/]NAME[:PORT]. The URL is printed; without a desktop, that is all. `lab forward --stop`
    ends the forward.

    \b
    Example: lab open default/web
    """
    progress = console()
    lab = Lab.open(the_lab(name), progress)
    url = open_service(lab, service)
    click.echo(url)
    show_in_browser(lab, url, progress)


COMMANDS = (forward, open_command)
