"""Nodes of a lab that are replaced."""

from __future__ import annotations

import click

from lab.cli.common import console, name_option, say, the_lab
from lab.operations.replacing.replace import replace_node


@click.group("node")
def node() -> None:
    """Nodes of the lab: replace a control plane that is dead for good."""


@node.command()
@click.argument("node_name", metavar="NODE")
@name_option
def replace(node_name: str, name: str | None) -> None:
    """Replace one of several control planes by a new machine of the same name, with an empty disk.

    Its machine is switched off, its member of etcd and all that names it are removed, and a new machine
    joins. What was on its disk is lost, but for snapshots. May be repeated after it was interrupted.

    \b
    Example: lab node replace k8s-master2
    """
    traces = replace_node(the_lab(name), node_name, console())
    click.echo(f"{node_name} is a new machine. Looked at in between: {traces.looked_at}.")
    for trace in traces.found:
        say(f"still named: {trace}", err=True)


COMMANDS = (node,)
