"""In which language `lab` speaks to people: English, or Chinese where the environment says so.

All code speaks English, and so do logs, JSON and files for programs. What is shown on a terminal or a page
goes through `said`, which looks the text up in the catalogue of messages; without an entry it stays as it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cache
from pathlib import Path

from lab.foundation.message_file import read_messages

CATALOGUE = Path(__file__).parent / "messages" / "zh_CN.po"
VARIABLES = ("LAB_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
"""The first of them that is set decides: locale(7), with one of this project before."""
PLACE = re.compile(r"\{(\d+)\}")
"""Where a text has a value."""
_ANY, _NAME = r"(.*?)", r"([^\s,;:(?]*)"


class Language(StrEnum):
    ENGLISH = "en"
    CHINESE = "zh"


def language() -> Language:
    """By the environment."""
    named = next((value for name in VARIABLES if (value := os.environ.get(name))), "")
    return Language.CHINESE if named.lower().startswith(Language.CHINESE) else Language.ENGLISH


def said(text: str) -> str:
    """The text, which is English, in the language of the environment."""
    return text if language() is Language.ENGLISH else in_chinese(text)


def in_chinese(text: str) -> str:
    """The text, which is English, in Chinese, whatever the environment says."""
    return _chinese().translated(text)


def marked(text: str) -> str:
    """The text as it is, which is translated where it is shown: so the catalogue has it."""
    return text


class Catalogue:
    """Texts and their translations; a text with `{1}`, `{2}` stands for all with values there."""

    def __init__(self, entries: Mapping[str, str]) -> None:
        self._plain = {text: own for text, own in entries.items() if not PLACE.search(text)}
        with_values = [text for text in entries if text not in self._plain]
        # The most of its own words first: "no lab {1} runs" before "no {1}".
        by_words = sorted(with_values, key=lambda text: len(PLACE.sub("", text)), reverse=True)
        self._patterns = [(each, entries[text]) for text in by_words for each in _patterns_of(text)]

    def translated(self, text: str) -> str:
        """The translation of the whole text, else of each of its lines; values that are texts, too."""
        if text in self._plain:
            return self._plain[text]
        for pattern, own in self._patterns:
            if found := pattern.fullmatch(text):
                return self._filled(own, [self._value(value, text) for value in found.groups()])
        if "\n" in text:
            return "\n".join(self.translated(line) if line.strip() else line for line in text.split("\n"))
        return text

    def _filled(self, own: str, values: Sequence[str]) -> str:
        return PLACE.sub(lambda place: values[int(place.group(1)) - 1], own)

    def _value(self, value: str, whole: str) -> str:
        # A word alone is a name: a pod that is called `labels` stays so.
        return value if value == whole or " " not in value else self.translated(value)


def _patterns_of(text: str) -> Iterator[re.Pattern[str]]:
    """A value right before another one is a name, if that is what is there; else it may be anything."""
    first, *others = map(re.escape, PLACE.split(text)[::2])
    if "" in others[:-1]:
        names = "".join(f"{_ANY if own else _NAME}{own}" for own in others[:-1])
        yield re.compile(f"{first}{names}{_ANY}{others[-1]}", re.S)
    yield re.compile(_ANY.join((first, *others)), re.S)


@cache
def _chinese() -> Catalogue:
    return Catalogue({entry.text: entry.translation for entry in read_messages(CATALOGUE)})
