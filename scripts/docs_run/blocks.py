"""Which commands of a page are run, and what it says that they print.

`<!-- run -->` alone in a line marks the block of code that follows. In a block with prompts (`# ` or `$ `)
what follows a prompt is what the command prints: each line must be found in the output, in their order, where
`...` stands for any text. In a block without prompts each line is a command.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from scripts.docs_site.markdown import FENCE, Page

MARKER = "<!-- run -->"
PROMPTS = ("# ", "$ ")
ANYTHING = "..."


class MarkerError(ValueError):
    """A marker that no block of code follows."""


@dataclass(frozen=True)
class Command:
    line: int
    """Of the page, from 1."""
    text: str
    """For bash."""
    shown: tuple[str, ...] = ()
    """Lines that the page shows of its output."""

    def lacking(self, output: str) -> str:
        """The first line shown that the output lacks, after those before it; empty when it has all."""
        printed = iter(output.splitlines())
        for wanted in self.shown:
            pattern = _pattern(wanted)
            if not any(pattern.fullmatch(_squeezed(line)) for line in printed):
                return wanted
        return ""


def commands_of(text: str) -> tuple[Command, ...]:
    """Those of the marked blocks, in their order. Raises MarkerError."""
    page = Page(text)
    blocks = sorted((*page.fenced_blocks, *page.indented_blocks), key=lambda block: block.start)
    return tuple(
        command
        for number, line in enumerate(page.lines)
        if line.strip() == MARKER
        for command in _commands(page, _block_after(page, blocks, number))
    )


def _block_after(page: Page, blocks: list[range], marker: int) -> range:
    following = next((block for block in blocks if block.start > marker), None)
    if following is None or any(line.strip() for line in page.lines[marker + 1 : following.start]):
        raise MarkerError(f"line {marker + 1}: no block of code follows {MARKER}")
    return following


def _commands(page: Page, block: range) -> Iterator[Command]:
    lines = [(number, page.lines[number]) for number in block if not FENCE.match(page.lines[number])]
    lines = [(number, line) for number, line in lines if line.strip() and line.strip() != ANYTHING]
    if not any(line.lstrip().startswith(PROMPTS) for _, line in lines):
        yield from (Command(number + 1, line.strip()) for number, line in lines)
        return
    begun: Command | None = None
    for number, line in lines:
        if line.lstrip().startswith(PROMPTS):
            if begun is not None:
                yield begun
            begun = Command(number + 1, line.strip()[2:])
        elif begun is None:
            raise MarkerError(f"line {number + 1}: output before the first prompt")
        else:
            begun = Command(begun.line, begun.text, (*begun.shown, line.strip()))
    if begun is not None:
        yield begun


def _squeezed(line: str) -> str:
    return " ".join(line.split())


def _pattern(shown: str) -> re.Pattern[str]:
    parts = (re.escape(_squeezed(part)) for part in shown.split(ANYTHING))
    return re.compile(r"\s*.*?\s*".join(parts))
