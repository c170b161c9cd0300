"""The command line: `lab`."""

from __future__ import annotations

import codecs
import locale
import os
import signal
import sys
from importlib.metadata import version
from io import TextIOWrapper

import click

from lab.cli import (
    access,
    benching,
    certificates,
    completion,
    doors,
    drills,
    exercises,
    faults,
    images,
    keeping,
    lifecycle,
    marking,
    members,
    outside,
    packets,
    real_lan,
    software,
    stepping,
    support,
    testing,
    topologies,
)
from lab.cli.common import say, show_error
from lab.cli.endings import SIGNALLED, EndedError, heed_signals, system_error
from lab.cli.recording import add_verbose, recorded
from lab.foundation.environment import lost_to_sudo, search_path
from lab.foundation.errors import LabError
from lab.operations.report import commit_of_checkout

INTERRUPTED = SIGNALLED + signal.SIGINT


def _tell_how_to_go_on() -> None:
    say("Interrupted. Run the same command again to continue, or `lab down` to remove the lab.", err=True)


def show_version(context: click.Context) -> None:
    commit = commit_of_checkout()
    click.echo(f"lab, version {version('lab')}{f', {commit}' if commit else ''}")
    context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, _, wanted: show_version(context) if wanted else None,
    help="Show the version and the commit, and exit.",
)
def cli() -> None:
    """Build Kubernetes network labs from real virtual machines.

    \b
    lab up --topology underlay-3node    build a working cluster from nothing
    lab test                            prove how its pod network works
    lab down                            remove it; nothing is left
    """


for group in (
    lifecycle,
    stepping,
    keeping,
    members,
    certificates,
    access,
    doors,
    outside,
    real_lan,
    packets,
    testing,
    benching,
    faults,
    drills,
    images,
    exercises,
    marking,
    support,
    topologies,
    software,
    completion,
):
    for command in group.COMMANDS:
        cli.add_command(command)
add_verbose(cli)


def main() -> None:
    """Run the command line; exit 0, 1 (failed) or 2 (wrong use)."""
    heed_signals()
    _speak_the_locale()
    os.environ["PATH"] = search_path()
    with recorded(sys.argv[1:]):
        _run()


def _speak_the_locale() -> None:
    """Print in the terminal's encoding, whatever Python has for files, and what that lacks as question marks.

    Python takes UTF-8 for the locale C, whose encoding is ASCII: https://peps.python.org/pep-0540/.
    """
    encoding = codecs.lookup(locale.getencoding()).name
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding=None if encoding == "ascii" else encoding, errors="replace")


def _tell_what_sudo_kept() -> None:
    if lost := lost_to_sudo():
        assignments = " ".join(f"{name}=..." for name in lost)
        click.echo(
            f"note: sudo has not passed on {', '.join(lost)}: write `sudo {assignments} lab ...`", err=True
        )


def _run() -> None:
    _tell_what_sudo_kept()
    try:
        cli(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except LabError as error:
        show_error(error)
        sys.exit(error.exit_code)
    except OSError as error:
        show_error(system_error(error))
        sys.exit(LabError.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _tell_how_to_go_on()
        sys.exit(INTERRUPTED)
    except EndedError:
        _tell_how_to_go_on()
        raise
