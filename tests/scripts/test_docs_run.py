"""The commands of a page are found, run in one shell, and compared with what the page shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.docs_run.blocks import MARKER, Command, MarkerError, commands_of
from scripts.docs_run.running import run_commands

ROOT = Path(__file__).parents[2]
PAGE = f"""\
# Page

    not marked

{MARKER}

    NAME=world          # a comment of bash
    echo "hello $NAME"

Text.

{MARKER}
```
# echo "one  7 of 9"; echo two
one ... of 9
two
# test "$NAME" = world
```
"""


def run(text: str, tmp_path: Path) -> list[tuple[str, str]]:
    ran = run_commands(commands_of(text), tmp_path, {"GIVEN": "yes"})
    return [(each.output, each.problem) for each in ran]


def test_marked_blocks_are_run_in_one_shell(tmp_path: Path) -> None:
    assert [command.line for command in commands_of(PAGE)] == [7, 8, 14, 17]
    assert run(PAGE, tmp_path) == [("", ""), ("hello world", ""), ("one  7 of 9\ntwo", ""), ("", "")]


def test_nothing_is_run_after_a_command_that_fails(tmp_path: Path) -> None:
    text = f"{MARKER}\n\n    echo $GIVEN\n    false | cat\n    touch never\n"
    assert run(text, tmp_path) == [("yes", ""), ("", "exit status 1")]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("shown", "lacking"),
    [
        (("one", "three"), ""),
        (("two words",), ""),
        (("... words",), ""),
        (("three", "one"), "one"),
        (("on",), "on"),
        (("two ... more",), "two ... more"),
    ],
)
def test_lines_are_looked_for_in_their_order(shown: tuple[str, ...], lacking: str) -> None:
    assert Command(1, "", shown).lacking("one\n  two   words\nthree\n") == lacking


@pytest.mark.parametrize("text", [f"{MARKER}\n\ntext\n\n    code\n", MARKER, f"{MARKER}\n```\nx\n# y\n```\n"])
def test_a_marker_without_commands_is_refused(text: str) -> None:
    with pytest.raises(MarkerError):
        commands_of(text)


@pytest.mark.parametrize("page", ["answers", "coursework"])
def test_the_pages_of_the_coursework_have_the_same_commands_in_both_languages(page: str) -> None:
    texts = [(ROOT / f"docs/{page}{end}").read_text(encoding="utf-8") for end in (".md", ".zh-CN.md")]
    english, chinese = ([(each.text, each.shown) for each in commands_of(text)] for text in texts)
    assert english == chinese
    assert len(english) > 5
