"""Images that users bring into a lab."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from lab.cli.common import console, json_option, name_option, print_json, the_lab
from lab.cli.completion import complete_node
from lab.cli.pull_through import through
from lab.cli.tables import show_images
from lab.operations.images import (
    Brought,
    list_images,
    load_images,
    name_of,
    names_of,
    pull_images,
    raise_about,
    remove_images,
)

F = TypeVar("F", bound=Callable[..., Any])


def node_option(command: F) -> F:
    """--node, for which there may be several; none is all."""
    return click.option(
        "--node",
        "nodes",
        multiple=True,
        metavar="NODE",
        shell_complete=complete_node,
        help="Only this node; may be repeated (default: all nodes).",
    )(command)


def keep_option(command: F) -> F:
    return click.option("--keep", is_flag=True, help="Bring it again after each lab rebuild; for all nodes.")(
        command
    )


@click.group("image")
def image() -> None:
    """Images of your own on the nodes, which reach no registry."""


@image.command("pull")
@click.argument("references", metavar="REF...", nargs=-1, required=True)
@node_option
@keep_option
@click.option("--fresh", is_flag=True, help="Ask the registries although the cache has the image.")
@name_option
def pull(
    *, references: tuple[str, ...], nodes: tuple[str, ...], keep: bool, fresh: bool, name: str | None
) -> None:
    """Fetch images on this host, through the mirrors, and bring them to the nodes.

    REF is a name as in a manifest: nginx:1.25 is docker.io/library/nginx:1.25. With @sha256:DIGEST behind the
    tag, only what has this digest is taken.

    \b
    Example: lab image pull nginx:1.25
    Example: lab image pull --keep nginx:1.25 redis:7
    """
    _refuse_kept_on_some(keep, nodes)
    names = names_of(references)
    _tell(pull_images(the_lab(name), names, nodes, console(), keep=keep, fresh=fresh))


@image.command("load")
@click.argument("path", metavar="FILE|DIR", type=click.Path(exists=True, path_type=Path))
@click.option("--only", multiple=True, metavar="REF", help="Only this image of FILE; may be repeated.")
@click.option("--as", "as_name", metavar="REF", help="The name that the image shall have.")
@node_option
@keep_option
@name_option
def load(
    *,
    path: Path,
    only: tuple[str, ...],
    as_name: str | None,
    nodes: tuple[str, ...],
    keep: bool,
    name: str | None,
) -> None:
    """Bring the images in a file to the nodes: a docker-archive, an oci-archive or an OCI layout's folder.

    \b
    Example: lab image load web.tar
    Example: lab image load layout/ --as shop/web:1
    """
    _refuse_kept_on_some(keep, nodes)
    wanted = name_of(as_name) if as_name else None
    folder = the_lab(name)
    _tell(load_images(folder, path, nodes, console(), only=names_of(only), name=wanted, keep=keep))


@image.command("list")
@node_option
@json_option
@name_option
def list_(*, nodes: tuple[str, ...], as_json: bool, name: str | None) -> None:
    """List the images on the nodes, and where they come from.

    \b
    Example: lab image list --node k8s-node1
    """
    found = list_images(the_lab(name), nodes)
    if as_json:
        print_json(found.as_json())
    else:
        show_images(found)
    raise_about(found.failed, ())


@image.command("remove")
@click.argument("references", metavar="REF...", nargs=-1, required=True)
@node_option
@name_option
def remove(*, references: tuple[str, ...], nodes: tuple[str, ...], name: str | None) -> None:
    """Remove images from the nodes; without --node they do not come back after a rebuild either.

    \b
    Example: lab image remove nginx:1.25
    """
    done = remove_images(the_lab(name), names_of(references), nodes, console())
    click.echo(f"Removed from {', '.join(done.nodes)}: {', '.join(done.names)}")


def _refuse_kept_on_some(keep: bool, nodes: tuple[str, ...]) -> None:
    if keep and nodes:
        raise click.UsageError("--keep is for all nodes: leave --node out, or --keep.")


def _tell(brought: Brought) -> None:
    click.echo(f"On {', '.join(brought.nodes)}: {', '.join(brought.names)}")


image.add_command(through)

COMMANDS = (image,)
