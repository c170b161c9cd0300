"""Commands for what is kept: save points of a lab, and labs in the cache."""

from __future__ import annotations

from pathlib import Path

import click

from lab.cli.common import console, discard_option, json_option, name_option, show_rows, the_lab
from lab.cli.tables import show_kept, show_snapshots
from lab.foundation.progress import seconds_text
from lab.operations.keeping.cache import kept_rows, prune_kept
from lab.operations.keeping.filling import fill_cache, modes_for
from lab.operations.keeping.snapshots import (
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
@click.option("--note", default="", help="A line that describes the save point.")
@name_option
def save(snapshot: str, note: str, name: str | None) -> None:
    """Save the lab's current state; its nodes stop for a second.

    \b
    Example: lab snapshot save before-exercise-2 --note "tomcat runs"
    """
    save_snapshot(the_lab(name), snapshot, note, console())


@snapshots.command()
@snapshot_argument
@discard_option
@name_option
def restore(*, snapshot: str, name: str | None, discard: bool) -> None:
    """Restore all nodes to a save point, with the current time.

    What you made in the cluster is listed, and kept in the save point `undo` (`redo` if you restore `undo`).

    \b
    Example: lab snapshot restore before-exercise-2
    """
    restore_snapshot(the_lab(name), snapshot, console(), discard=discard)


@snapshots.command("list")
@json_option
@name_option
def list_snapshots(name: str | None, as_json: bool) -> None:
    """List the save points of a lab.

    \b
    Example: lab snapshot list
    """
    show_rows(snapshot_rows(the_lab(name)), show_snapshots, as_json=as_json)


@snapshots.command()
@snapshot_argument
@name_option
def remove(snapshot: str, name: str | None) -> None:
    """Remove a save point.

    \b
    Example: lab snapshot remove before-exercise-2
    """
    remove_snapshot(the_lab(name), snapshot, console())


@snapshots.command()
@snapshot_argument
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@name_option
def export(snapshot: str, file: Path, name: str | None) -> None:
    """Write a save point to one file, for another lab of the same topology.

    The file contains the cluster's keys: anyone who has it can access the cluster. It fits some hosts only:
    the command says which, and `import` refuses it elsewhere.

    \b
    Example: lab snapshot export before-exercise-2 exercise-2.snapshot
    """
    progress = console()
    origin = export_snapshot(the_lab(name), snapshot, file, progress)
    took = sum(step.seconds for step in progress.times)
    click.echo(f"{file}: {file.stat().st_size / 2**20:.0f} MiB in {seconds_text(took)}")
    click.echo(f"It fits {origin.fits}.")


@snapshots.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--as", "snapshot", metavar="SNAPSHOT", help="Its name in this lab (default: its original name)."
)
@name_option
def import_(file: Path, snapshot: str | None, name: str | None) -> None:
    """Read a save point from a file into a lab of the same topology.

    \b
    Example: lab snapshot import exercise-2.snapshot
    """
    known_as = import_snapshot(the_lab(name), file, snapshot, console())
    click.echo(f"lab snapshot restore {known_as} restores it")


@click.group()
def cache() -> None:
    """Labs kept in the cache, from which `lab up` starts in seconds."""


@cache.command("list")
@json_option
def list_kept(as_json: bool) -> None:
    """List the kept labs, the most recently used first.

    \b
    Example: lab cache list
    """
    show_rows(kept_rows(), show_kept, as_json=as_json)


@cache.command()
@click.option(
    "--to", "gib", type=float, metavar="GIB", help="Keep at most this much (default: LAB_KEPT_GIB, or 20)."
)
def prune(gib: float | None) -> None:
    """Remove the kept labs used longest ago.

    \b
    Example: lab cache prune --to 5
    """
    removed = prune_kept(gib, console())
    click.echo(f"{len(removed)} removed")


@cache.command()
@click.option("--modes", required=True, metavar="M,N", help="These modes, or `all` that the lab can have.")
@discard_option
@name_option
def fill(*, name: str | None, modes: str, discard: bool) -> None:
    """Install modes ahead, in the lab that runs; afterwards it is a clean cluster in the mode it had.

    Later `lab up`, `lab rebuild --mode` and `lab test --all-modes` take them from the cache.

    \b
    Example: lab cache fill --modes all
    """
    folder, progress = the_lab(name), console()
    wanted = modes_for(folder, progress) if modes == "all" else tuple(modes.split(","))
    filled = fill_cache(folder, wanted, progress, discard=discard)
    click.echo(f"{len(filled)} installed, {len(wanted) - len(filled)} were in the cache")


COMMANDS = (snapshots, cache)
