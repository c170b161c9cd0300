"""What the commands share: the lab they work on, JSON, and errors for the person who must act."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import click

from lab.foundation import journal
from lab.foundation.errors import LabError
from lab.foundation.journal import JOURNAL
from lab.foundation.language import said
from lab.foundation.paths import LabFolder
from lab.foundation.progress import ConsoleProgress
from lab.operations.keeping.filling import modes_for
from lab.state.records import choose_lab
from lab.topology.models import Supply

F = TypeVar("F", bound=Callable[..., Any])


class Row(Protocol):
    """One line of a list."""

    def as_json(self) -> Mapping[str, Any]: ...


R = TypeVar("R", bound=Row)


def name_option(command: F) -> F:
    """--name, or LAB_NAME, or the one lab there is."""
    return click.option(
        "--name",
        envvar="LAB_NAME",
        metavar="LAB",
        help="The lab to work on (default: LAB_NAME, or the only lab).",
    )(command)


def json_option(command: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(command)


def discard_option(command: F) -> F:
    """--discard, for commands after which what was made in the cluster is not there any more."""
    return click.option(
        "--discard",
        is_flag=True,
        help="Discard what you made in the cluster; without this, a save point is taken before (`undo`).",
    )(command)


def supply_option(command: F) -> F:
    """--supply, or LAB_SUPPLY; the value may be None."""
    return click.option(
        "--supply",
        envvar="LAB_SUPPLY",
        metavar="S",
        help=f"Where software comes from: {', '.join(Supply)} (default: LAB_SUPPLY, else the topology's).",
    )(command)


def modes_wanted(lab: LabFolder, modes: str | None, *, all_modes: bool) -> tuple[str, ...]:
    """Of the options --mode M,N and --all-modes: the modes; empty for the one that the lab has."""
    if all_modes:
        return modes_for(lab, console())
    return tuple(modes.split(",")) if modes else ()


def the_lab(name: str | None) -> LabFolder:
    """The lab that a command works on, whose log tells of it from now on."""
    folder = choose_lab(name)
    journal.keep_in(folder.log)
    return folder


def print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2))


def show_rows(rows: Sequence[R], show: Callable[[Sequence[R]], None], *, as_json: bool) -> None:
    """A list, for programs or with `show` for people."""
    if as_json:
        print_json([row.as_json() for row in rows])
    else:
        show(rows)


def console() -> ConsoleProgress:
    """Progress goes to stderr, results to stdout."""
    return ConsoleProgress(sys.stderr)


def say(text: str, *, err: bool = False) -> None:
    """Print a line for people, in their language."""
    click.echo(said(text), err=err)


def show_error(error: LabError) -> None:
    """Print the error on stderr, in colour only on a terminal; the log has its traceback too."""
    JOURNAL.error("error: %s", error, exc_info=error)
    click.secho(said("error: ") + said(error.brief), fg="red", bold=True, err=True)
    if error.details:
        click.echo("\n".join(f"  {line}" for line in said(error.details).splitlines()), err=True)
    if error.resolution:
        click.secho(said("How to fix it: ") + said(error.resolution), fg="yellow", err=True)
