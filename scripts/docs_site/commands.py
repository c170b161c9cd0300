"""The page of all commands, from click's own help."""

from __future__ import annotations

from collections.abc import Iterator

import click

from lab.cli.main import cli

WIDTH = 100


def commands_page(intro: str) -> str:
    """`intro`: the page's heading and first sentences, in its language. The help itself is English."""
    return "\n".join([intro, *_sections(cli, "lab", None)])


def _sections(command: click.Command, name: str, parent: click.Context | None) -> Iterator[str]:
    context = command.make_context(
        name, [], parent=parent, resilient_parsing=True, terminal_width=WIDTH, max_content_width=WIDTH
    )
    level = "##" if parent is None or parent.parent is None else "###"
    yield f"{level} {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for child_name in command.list_commands(context):
            child = command.get_command(context, child_name)
            if child is not None and not child.hidden:
                yield from _sections(child, child_name, context)
