"""The catalogue has all messages of `lab`, each with a translation that fits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.foundation.language import CATALOGUE, PLACE, Catalogue
from lab.foundation.message_file import Entry, read_messages
from scripts.messages.extracting import Message, messages_of
from scripts.messages.scope import messages_in_scope

ENTRIES = read_messages(CATALOGUE)
BY_TEXT = {entry.text: entry.translation for entry in ENTRIES}
CHINESE = Catalogue(BY_TEXT)
SAME = re.compile(r"(lab|kubeadm|apt|mount) [^,;]+|[A-Za-z0-9-]+")
"""A text that is a command alone, or a name, may be the same in every language."""
TEMPLATE = '{{ "seen" | said }} {{ ("%d of them" | format(1)) | said }} {{ "not said" | e }}'
CODE = (
    "class Boot:\n"
    "    name = 'boot it'\n"
    "    def done(self): ...\n"
    "    def run(self): raise OddError(f'no {node} of {a}', details=b or 'unknown', resolution='wait')\n"
    "def work():\n"
    "    progress.step('go' if fast else 'walk')\n"
    "    open('not said')\n"
    "    raise WrongUseError('one'\n        ' and two', status='not said')\n"
    "    say(f'{a}: {b}')\n"
)


def test_it_has_every_message_and_no_other() -> None:
    """`python -m scripts.messages` brings it up to date; then translate what it names."""
    assert list(BY_TEXT) == [message.text for message in messages_in_scope()]
    assert len(ENTRIES) == len(BY_TEXT) > 250


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.text[:40])
def test_every_message_has_a_translation_that_fits(entry: Entry) -> None:
    assert not entry.fuzzy
    # A verb of the English text may be left out.
    assert set(PLACE.findall(entry.translation)) <= set(PLACE.findall(entry.text))
    assert re.search("[一-鿿]", entry.translation) or SAME.fullmatch(entry.text)
    assert entry.text.count("\n") == entry.translation.count("\n")
    # A value right after another one is told apart by how it begins.
    values = {
        found.group(1): f"{'; ' if entry.text[: found.start()].endswith('}') else ''}v{found.group(1)}/x"
        for found in PLACE.finditer(entry.text)
    }
    text, wanted = (
        PLACE.sub(lambda place: values[place.group(1)], each) for each in (entry.text, entry.translation)
    )
    assert CHINESE.translated(text) == wanted


def test_texts_are_found_in_code_and_templates(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(CODE)
    (tmp_path / "b.j2").write_text(TEMPLATE)
    found = messages_of(tmp_path, tmp_path.iterdir())
    assert {message.text for message in found} == {
        *("boot it", "no {1} of {2}", "unknown", "wait", "go", "walk", "one and two", "seen", "{1} of them")
    }
    assert Message("seen", "b.j2") in found
