"""Known mistakes: put into a lab to learn from them, and taken out again."""

from __future__ import annotations

import click

from lab.cli.common import console, json_option, name_option, show_rows, the_lab
from lab.cli.tables import show_faults
from lab.operations.faults import clear_faults, fault_rows, inject_fault


@click.group("fault")
def fault() -> None:
    """Known mistakes of pod networks: inject one, see what fails and why, remove it again."""


@fault.command()
@click.argument("fault_name", metavar="FAULT")
@click.option("--node", metavar="NODE", help="The node to inject it on (default: the last worker).")
@name_option
def inject(fault_name: str, node: str | None, name: str | None) -> None:
    """Inject a fault into the lab; returns when it has taken effect. May be repeated.

    \b
    Example: lab fault inject coredns-zero
    Example: lab fault inject disk-full --node k8s-node1
    """
    injected = inject_fault(the_lab(name), fault_name, node, console())
    where = f" on {injected.node}" if injected.node else ""
    click.echo(f"{injected.name} is injected{where}. lab test shows what fails; lab fault clear removes it.")


@fault.command()
@click.argument("fault_name", metavar="[FAULT]", required=False)
@name_option
def clear(fault_name: str | None, name: str | None) -> None:
    """Remove a fault from the lab, or all faults; returns when the lab is healthy again.

    \b
    Example: lab fault clear
    Example: lab fault clear coredns-zero
    """
    cleared = clear_faults(the_lab(name), fault_name, console())
    if not cleared:
        click.echo(f"{fault_name} is not in the lab." if fault_name else "No fault is in the lab.")


@fault.command("list")
@json_option
@name_option
def list_faults(name: str | None, as_json: bool) -> None:
    """List all faults, which of them apply to the lab's mode, and which are injected.

    \b
    Example: lab fault list
    """
    show_rows(fault_rows(the_lab(name)), show_faults, as_json=as_json)


COMMANDS = (fault,)
