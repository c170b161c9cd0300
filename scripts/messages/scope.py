"""Which messages are in the catalogue: all of `lab`."""

from __future__ import annotations

from pathlib import Path

from scripts.messages.extracting import Message, messages_of

ROOT = Path(__file__).parents[2]
SUFFIXES = (".py", ".j2")


def messages_in_scope() -> tuple[Message, ...]:
    return messages_of(ROOT, (path for path in (ROOT / "lab").rglob("*") if path.suffix in SUFFIXES))
