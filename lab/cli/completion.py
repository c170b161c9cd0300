"""Completion of words in the user's shell."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem, get_completion_class

from lab.foundation.errors import LabError
from lab.foundation.progress import SilentProgress
from lab.operations.context import Lab
from lab.state.records import choose_lab

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_LAB_COMPLETE"
"""By which the shell asks `lab` for words: https://click.palletsprojects.com/en/stable/shell-completion/."""


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what lets SHELL complete the words of `lab`.

    \b
    Example: lab completion bash > /etc/bash_completion.d/lab
             lab completion fish > ~/.config/fish/completions/lab.fish
    """
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(context.find_root().command, {}, "lab", VARIABLE).source())


def complete_node(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """The nodes of the lab that the command works on; none when that is not known."""
    try:
        nodes = Lab.open(choose_lab(context.params.get("name")), SilentProgress()).plan.nodes
    except LabError:
        return []
    return [CompletionItem(node.name) for node in nodes if node.name.startswith(begun)]


COMMANDS = (completion,)
