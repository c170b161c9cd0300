"""python -m scripts.messages: bring the catalogue up to date with the code."""

from __future__ import annotations

import sys

import click

from lab.foundation.language import CATALOGUE
from lab.foundation.message_file import Entry, messages_text, read_messages
from scripts.messages.scope import messages_in_scope


def main() -> int:
    """How many translations are missing decides the exit status."""
    known = {entry.text: entry for entry in read_messages(CATALOGUE)} if CATALOGUE.exists() else {}
    entries = []
    for message in messages_in_scope():
        before = known.get(message.text, Entry(message.text, ""))
        entries.append(Entry(message.text, before.translation, message.file, before.fuzzy))
    CATALOGUE.parent.mkdir(exist_ok=True)
    CATALOGUE.write_text(messages_text(entries), encoding="utf-8")
    missing = [entry for entry in entries if not entry.translation or entry.fuzzy]
    click.echo(f"{CATALOGUE}: {len(entries)} messages, {len(missing)} without a translation")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
