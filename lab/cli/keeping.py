"""Commands for what is kept: save points of a lab, and labs in the cache."""

from __future__ import annotations

from pathlib import Path

import click

from lab.cli.common import console, json_option, name_option, show_rows, the_lab
from lab.cli.tables import show_kept, show_snapshots
from lab.operations.cache import kept_rows, prune_kept
from lab.operations.snapshots import (
    export_snapshot,
    import_snapshot,
    remove_snapshot,
    restore_snapshot,
    save_snapshot,
    snapshot_rows,
)

snapshot_argument = click.argument("snapshot", metavar="SNAPSHOT")


@click.group("snapshot")
def snapshots() -> None:
    """Save points of a lab: disk and memory of all nodes at one instant."""


@snapshots.command()
@snapshot_argument
@click.option("--note", default="", help="A line that says what it is.")
@name_option
def save(snapshot: str, note: str, name: str | None) -> None:
    """Keep the lab as it is now; its nodes stand still for a second.

    \b
    Example: lab snapshot save before-exercise-2 --note "tomcat runs"
    """
    save_snapshot(the_lab(name), snapshot, note, console())


@snapshots.command()
@snapshot_argument
@name_option
def restore(snapshot: str, name: str | None) -> None:
    """Bring all nodes back to a save point, with the present time.

    \b
    Example: lab snapshot restore before-exercise-2
    """
    restore_snapshot(the_lab(name), snapshot, console())


@snapshots.command("list")
@json_option
@name_option
def list_snapshots(name: str | None, as_json: bool) -> None:
    """The save points of a lab.

    \b
    Example: lab snapshot list
    """
    show_rows(snapshot_rows(the_lab(name)), show_snapshots, as_json=as_json)


@snapshots.command()
@snapshot_argument
@name_option
def remove(snapshot: str, name: str | None) -> None:
    """Give up a save point.

    \b
    Example: lab snapshot remove before-exercise-2
    """
    remove_snapshot(the_lab(name), snapshot, console())


@snapshots.command()
@snapshot_argument
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@name_option
def export(snapshot: str, file: Path, name: str | None) -> None:
    """Write a save point into one file, for another lab of the same topology.

    The file opens the cluster to whoever has it: it holds the cluster's keys.

    \b
    Example: lab snapshot export before-exercise-2 exercise-2.snapshot
    """
    export_snapshot(the_lab(name), snapshot, file, console())


@snapshots.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--as", "snapshot", metavar="SNAPSHOT", help="Its name in this lab (default: the one it had).")
@name_option
def import_(file: Path, snapshot: str | None, name: str | None) -> None:
    """Bring a save point from a file into a lab of the same topology.

    \b
    Example: lab snapshot import exercise-2.snapshot
    """
    known_as = import_snapshot(the_lab(name), file, snapshot, console())
    click.echo(f"lab snapshot restore {known_as} goes to it")


@click.group()
def cache() -> None:
    """Labs kept in the cache, from which `lab up` starts in seconds."""


@cache.command("list")
@json_option
def list_kept(as_json: bool) -> None:
    """The kept labs, the one used last first.

    \b
    Example: lab cache list
    """
    show_rows(kept_rows(), show_kept, as_json=as_json)


@cache.command()
@click.option(
    "--to", "gib", type=float, metavar="GIB", help="Keep at most that much (default: LAB_KEPT_GIB, or 20)."
)
def prune(gib: float | None) -> None:
    """Remove the kept labs used longest ago.

    \b
    Example: lab cache prune --to 5
    """
    removed = prune_kept(gib, console())
    click.echo(f"{len(removed)} removed")


COMMANDS = (snapshots, cache)
