"""python -m scripts.docs_run PAGE...: run the marked commands of pages on a lab, which is then removed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from scripts.docs_run.blocks import commands_of
from scripts.docs_run.running import run_commands

ROOT = Path(__file__).parents[2]
LAB = "pages"
"""Its name."""


def main(pages: Sequence[str]) -> int:
    """0 when all went as the pages say."""
    if not pages:
        click.echo(__doc__, err=True)
        return 2
    problems = 0
    for page in pages:
        with _no_lab_stays():
            problems += _run_page(Path(page))
    return 1 if problems else 0


def _run_page(page: Path) -> int:
    """How many of its commands were not as the page says."""
    commands = commands_of(page.read_text(encoding="utf-8"))
    ran = run_commands(commands, ROOT, {"LAB_NAME": LAB})
    for each in ran:
        click.echo(f"{page}:{each.command.line}: {each.command.text}\n{each.output}")
        if each.problem:
            click.echo(f"{page}:{each.command.line}: wrong: {each.problem}")
    click.echo(f"{page}: {len(ran)} of {len(commands)} commands were run")
    return sum(bool(each.problem) for each in ran) + len(commands) - len(ran)


@contextmanager
def _no_lab_stays() -> Iterator[None]:
    try:
        yield
    finally:
        subprocess.run(["lab", "down", "--name", LAB], check=False, capture_output=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
