"""What the generator of the site is given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from lab.cli.main import cli
from lab.modes.registry import MODES
from scripts.docs_site.commands import commands_page
from scripts.docs_site.markdown import Page
from scripts.docs_site.mode_pages import page_name
from scripts.docs_site.search import write_index
from scripts.docs_site.stage import english_pages, for_the_site, stage, with_anchors

ROOT = Path(__file__).parent.parent.parent


class Loader(yaml.SafeLoader):
    """Reads mkdocs.yml; names of functions in it are left out."""


Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)


def _pages_of(nav: list[Any]) -> Iterator[str]:
    for entry in nav:
        if isinstance(entry, str):
            yield entry
        else:
            for entries in entry.values():
                yield from _pages_of(entries)


def _commands(command: click.Command, path: str) -> Iterator[str]:
    yield path
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            if not child.hidden:
                yield from _commands(child, f"{path} {name}")


def test_the_navigation_has_every_page_once() -> None:
    nav = yaml.load((ROOT / "mkdocs.yml").read_text(), Loader)["nav"]  # noqa: S506
    assert sorted(_pages_of(nav)) == sorted(
        [*(page.name for page in english_pages(ROOT)), "commands.md", *map(page_name, MODES)]
    )


def test_the_page_of_commands_has_all_of_them() -> None:
    headings = {heading.text for heading in Page(commands_page("# Commands")).headings}
    assert headings == {"Commands", *_commands(cli, "lab")}


def test_the_page_of_commands_has_the_help_as_it_is_printed() -> None:
    page = commands_page("# Commands")
    assert "Example: lab up --topology underlay-3node --mode flannel-vxlan\n" in page
    assert "-h, --help" in page


def test_each_page_is_there_in_both_languages(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("# A\n\n[\u4e2d\u6587](a.zh-CN.md)\n\nText [b](b.md)\n")
    (docs / "a.zh-CN.md").write_text("# \u7532\n\n[English](a.md)\n\n\u6587\u5b57 [b](b.md)\n")
    (docs / "b.md").write_text("# B\n\nOnly English\n")
    (tmp_path / "CONTRIBUTING.md").write_text("# C\n\n[a](docs/a.md#a)\n")
    (tmp_path / "CHANGELOG.md").write_text("# D\n")

    stage(tmp_path, tmp_path / "site")

    site = {path.name: path.read_text() for path in (tmp_path / "site").glob("*.md")}
    assert site["a.md"] == "# A\n\nText [b](b.md)\n"
    assert site["a.zh.md"] == "# \u7532 { #a }\n\n\u6587\u5b57 [b](b.md)\n"
    assert site["b.zh.md"].startswith("# B\n\n!!! note")
    assert "Only English" in site["b.zh.md"]
    assert site["CONTRIBUTING.md"] == "# C\n\n[a](a.md#a)\n"
    assert {"commands.md", "commands.zh.md"} <= site.keys()


def test_a_chinese_page_with_another_number_of_headings_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        with_anchors("# \u7532\n\n## \u4e59\n", "# A\n")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("1. one\n   more\n\n       code\n", "1. one\n    more\n\n        code\n"),
        ("- one\n  - two\n    more\n", "- one\n    - two\n        more\n"),
        ("text\n- one\n", "text\n\n- one\n"),
        ("- one\n\ntext\n\n    code\n", "- one\n\ntext\n\n    code\n"),
        ("```\n- no item\n  as it is\n```\n", "```\n- no item\n  as it is\n```\n"),
        ("| `a \\| b` | c |\n", "| `a | b` | c |\n"),
    ],
)
def test_lists_and_tables_are_as_the_generator_reads_them(given: str, wanted: str) -> None:
    assert for_the_site(given) == wanted


def test_each_language_has_its_own_index(tmp_path: Path) -> None:
    folder = tmp_path / "search"
    folder.mkdir()
    docs = [{"location": "zh/a.html#b", "text": "\u7532"}, {"location": "a.html", "text": "a"}]
    (folder / "search_index.json").write_text(json.dumps({"config": {"lang": ["en"]}, "docs": docs}))

    write_index(tmp_path)

    script = (folder / "search_index.js").read_text()
    chinese, english = script.removesuffix(";\n").partition("? ")[2].split(" : ")
    assert json.loads(chinese) == {"config": {"lang": ["en"]}, "docs": docs[:1]}
    assert json.loads(english) == {"config": {"lang": ["en"]}, "docs": docs[1:]}
