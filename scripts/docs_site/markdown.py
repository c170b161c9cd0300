"""What a page of Markdown consists of: headings, code, links; nothing is rendered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

HEADING = re.compile(r"^(#{1,6}) +(.+?)$")
FENCE = re.compile(r"^ *(```|~~~)")
ITEM = re.compile(r"(?:[-*]|\d+\.) +")
ANCHOR = re.compile(r'<a id="([^"]+)"></a>')
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Heading:
    line: int
    """Its line in the page, from 0."""
    level: int
    text: str

    @property
    def anchor(self) -> str:
        """As GitHub and the site's generator name it: small letters, spaces as `-`, no other punctuation."""
        text = LINK.sub("", self.text).lower()
        return re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-")


@dataclass(frozen=True)
class Page:
    text: str

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def fenced_blocks(self) -> list[range]:
        """The lines of each fenced block, fences included."""
        fences = [number for number, line in enumerate(self.lines) if FENCE.match(line)]
        return [range(first, last + 1) for first, last in zip(fences[::2], fences[1::2], strict=True)]

    @cached_property
    def indented_blocks(self) -> list[range]:
        """The lines of each block that is code by its indent: four or more than the text around it."""
        fenced = {number for block in self.fenced_blocks for number in block}
        blocks: list[range] = []
        offsets: list[int] = []
        empty_before = True
        for number, line in enumerate(self.lines):
            if not line.strip() or number in fenced:
                empty_before = True
                continue
            indent = len(line) - len(line.lstrip())
            while offsets and indent < offsets[-1]:
                offsets.pop()
            deeper = indent - (offsets[-1] if offsets else 0)
            goes_on = bool(blocks) and blocks[-1].stop == number
            if deeper >= 4 and goes_on:
                blocks[-1] = range(blocks[-1].start, number + 1)
            elif deeper >= 4 and empty_before:
                blocks.append(range(number, number + 1))
            elif item := ITEM.match(line.lstrip()):
                offsets.append(indent + len(item.group()))
            empty_before = False
        return blocks

    def code(self, block: range) -> list[str]:
        return self.lines[block.start : block.stop]

    @cached_property
    def prose(self) -> list[tuple[int, str]]:
        """The lines that are no block of code, with their numbers."""
        code = {number for block in self.fenced_blocks + self.indented_blocks for number in block}
        return [(number, line) for number, line in enumerate(self.lines) if number not in code]

    @cached_property
    def headings(self) -> list[Heading]:
        return [
            Heading(number, len(match.group(1)), match.group(2))
            for number, line in self.prose
            if (match := HEADING.match(line))
        ]

    @cached_property
    def links(self) -> list[str]:
        return [link for _, line in self.prose for link in LINK.findall(CODE.sub("", line))]

    @cached_property
    def inline_code(self) -> frozenset[str]:
        return frozenset(code for _, line in self.prose for code in CODE.findall(line))

    @cached_property
    def anchors(self) -> list[str]:
        """All that a link may name after `#`."""
        return [heading.anchor for heading in self.headings] + ANCHOR.findall(self.text)

    @cached_property
    def shape(self) -> list[str]:
        """Its headings by level, rows of tables and items of lists, in their order."""
        found: list[str] = []
        for _, line in self.prose:
            if match := HEADING.match(line):
                found.append(match.group(1))
            elif line.lstrip().startswith("|"):
                found.append("row")
            elif ITEM.match(line.lstrip()):
                found.append("item")
        return found
