"""What the log tells of a command as a whole, and `--verbose`, which every command has."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version

import click

from lab.foundation import journal
from lab.foundation.journal import JOURNAL

TOLD_OF_OTHERS = {"ssh": 1, "exec": 2, "kubectl": 2}
"""How many plain words are told of commands that hand words on to another program: those may be secret."""
OF_OTHERS_ALONE = ("kubectl",)
"""All options of these commands are the other program's, which has a -v of its own."""
_PLAIN = re.compile(r"[A-Za-z0-9][\w.-]*")


@contextmanager
def recorded(arguments: Sequence[str]) -> Iterator[None]:
    """Tell the beginning and the end of `lab` with these arguments, its exit status and its time."""
    started = time.monotonic()
    journal.start()
    JOURNAL.info("lab %s began: %s", version("lab"), shlex.join(["lab", *told(arguments)]))
    try:
        yield
    except SystemExit as end:
        _ended(end.code, started)
        raise
    except BaseException as error:
        JOURNAL.error("not expected: %s", error, exc_info=error)
        _ended(1, started)
        raise
    _ended(0, started)


def told(arguments: Sequence[str]) -> list[str]:
    """The arguments without the words that a user hands on to a node or to kubectl."""
    command = next((word for word in arguments if word in TOLD_OF_OTHERS), None)
    if command is None:
        return list(arguments)
    begin = arguments.index(command) + 1
    own, others = list(arguments[:begin]), list(arguments[begin:])
    if others[:1] == ["--name"]:
        own, others = [*own, *others[:2]], others[2:]
    plain = 0
    while others and plain < TOLD_OF_OTHERS[command] and (others[0] == "--" or _PLAIN.fullmatch(others[0])):
        plain += others[0] != "--"
        own.append(others.pop(0))
    return [*own, "..."] if others else own


def add_verbose(command: click.Command) -> None:
    """Give the command, and all commands below it, the option -v, --verbose."""
    if command.name not in OF_OTHERS_ALONE:
        command.params.append(
            click.Option(
                ["-v", "--verbose"],
                is_flag=True,
                expose_value=False,
                is_eager=True,
                callback=_show,
                help="Tell on stderr what is being done, as in the lab's log.",
            )
        )
    if isinstance(command, click.Group):
        for each in command.commands.values():
            add_verbose(each)


def _show(_context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        journal.show_on_stderr()


def _ended(status: object, started: float) -> None:
    JOURNAL.info("lab ended with exit status %s after %.1f s", status or 0, time.monotonic() - started)
