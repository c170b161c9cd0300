"""Topology files: check them, render them, draw them."""

from __future__ import annotations

from pathlib import Path

import click

from lab.foundation.files import write_output
from lab.operations.topologies import checked_plan, rendered_vagrantfile
from lab.topology.graph import render_svg


@click.command()
@click.argument("topologies", nargs=-1, required=True, metavar="TOPOLOGY...")
def validate(topologies: tuple[str, ...]) -> None:
    """Check topologies (names or files) without starting anything; shows all errors at once.

    \b
    Example: lab validate underlay-3node
    """
    for topology in topologies:
        plan = checked_plan(topology)
        click.echo(
            f"{topology}: valid: {len(plan.nodes)} nodes, {len(plan.networks)} networks, mode {plan.mode}"
        )


@click.command()
@click.option("--topology", required=True, metavar="T", help="A name (see topologies/) or a file.")
@click.option("--output", type=click.Path(path_type=Path), help="Write it here instead of to stdout.")
def render(topology: str, output: Path | None) -> None:
    """Write the topology's Vagrantfile without starting anything.

    \b
    Example: lab render --topology underlay-3node --output Vagrantfile
    """
    _write(rendered_vagrantfile(topology), output)


@click.command()
@click.option("--topology", required=True, metavar="T", help="A name (see topologies/) or a file.")
@click.option("--output", type=click.Path(path_type=Path), help="Write it here instead of to stdout.")
def graph(topology: str, output: Path | None) -> None:
    """Draw the topology as SVG: nodes, NICs, networks, addresses.

    \b
    Example: lab graph --topology underlay-3node --output underlay-3node.svg
    """
    _write(render_svg(checked_plan(topology)), output)


def _write(text: str, output: Path | None) -> None:
    if output is None:
        click.echo(text, nl=False)
    else:
        write_output(output, text)
        click.echo(f"wrote {output}", err=True)


COMMANDS = (validate, render, graph)
