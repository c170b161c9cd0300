"""A catalogue of messages on disk, as GNU gettext writes it (PO): editors for translations open it.

https://www.gnu.org/software/gettext/manual/html_node/PO-Files.html; no contexts and no plurals are read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

HEADER = """\
# What lab says, in Chinese. `python -m scripts.messages` brings it up to date with the code.
msgid ""
msgstr ""
"Language: zh_CN\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"""
_TEXT, _TRANSLATION, _REFERENCE, _FLAGS = "msgid ", "msgstr ", "#: ", "#, "


@dataclass(frozen=True)
class Entry:
    text: str
    translation: str
    file: str = ""
    """Where the text is said first."""
    fuzzy: bool = False
    """Whether somebody must look at the translation."""


def read_messages(path: Path) -> tuple[Entry, ...]:
    """All but the header. Raises ValueError for a line that is none of such a file."""
    blocks = path.read_text(encoding="utf-8").split("\n\n")
    entries = (_entry(block.splitlines()) for block in blocks if block.strip())
    return tuple(entry for entry in entries if entry.text)


def messages_text(entries: Iterable[Entry]) -> str:
    """The contents of the file."""
    return "\n".join((HEADER, *("\n".join(_lines(entry)) for entry in entries)))


def _entry(lines: Iterable[str]) -> Entry:
    found = {_TEXT: "", _TRANSLATION: "", _REFERENCE: "", _FLAGS: ""}
    at = ""
    for line in lines:
        kind = next((each for each in found if line.startswith(each)), "")
        if kind in (_REFERENCE, _FLAGS):
            found[kind] = line.removeprefix(kind)
        elif kind:
            at = kind
            found[at] += json.loads(line.removeprefix(at))
        elif line.startswith('"') and at:
            found[at] += json.loads(line)
        elif line and not line.startswith("#"):
            raise ValueError(f"no line of a catalogue of messages: {line}")
    return Entry(found[_TEXT], found[_TRANSLATION], found[_REFERENCE], "fuzzy" in found[_FLAGS])


def _lines(entry: Entry) -> Iterator[str]:
    yield f"{_REFERENCE}{entry.file}"
    if entry.fuzzy:
        yield f"{_FLAGS}fuzzy"
    yield _TEXT + json.dumps(entry.text, ensure_ascii=False)
    yield _TRANSLATION + json.dumps(entry.translation, ensure_ascii=False)
    yield ""
