"""What people read is plain technical English, and Chinese punctuation is full-width."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
ENGLISH = ROOT / "README.md"
CHINESE = ROOT / "README.zh-CN.md"
TWINS = (
    (ENGLISH, CHINESE),
    *(
        (ROOT / "docs" / f"{name}.md", ROOT / "docs" / f"{name}.zh-CN.md")
        for name in ("exercises", "ha", "teachers")
    ),
)
"""Pages in both languages that say the same."""
RECORDS = (ROOT / "docs" / "faults.md", ROOT / "docs" / "performance.md")
"""Written by programs; they quote what was said on the day of a run."""
PAGES = sorted({ENGLISH, ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")} - set(RECORDS))
PROGRAMS = sorted(path for folder in ("lab", "acceptance") for path in (ROOT / folder).rglob("*.py"))

LITERARY = re.compile(
    r"\b(to mend|heed(?!_)|dear|that young|cluster of others|with a word|without a word|has not the"
    r"|not so after|whose kind|begins? anew|never finished being)\b",
    re.IGNORECASE,
)
HAN = "[\u4e00-\u9fff]"
HALF_WIDTH = re.compile(f"{HAN}[,:;!?()]|[,:;!?()]{HAN}")
LINK = re.compile(r"\]\(([^)]+)\)")
CODE_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")
INDENTED = re.compile(r"^    .*$", re.MULTILINE)


def _strings(source: str) -> Iterator[str]:
    """All texts of a module but the docstrings: messages and names."""
    tree = ast.parse(source)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def _helps(source: str) -> Iterator[str]:
    """The docstrings of the functions of a module: click prints them as help."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            yield ast.get_docstring(node) or ""


def _found(texts: Iterator[str]) -> list[str]:
    return [match.group() for text in texts for match in LITERARY.finditer(text)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_no_literary_words(page: Path) -> None:
    assert _found(iter([page.read_text()])) == []


def test_messages_have_no_literary_words() -> None:
    found = {str(program.relative_to(ROOT)): _found(_strings(program.read_text())) for program in PROGRAMS}
    assert {name: words for name, words in found.items() if words} == {}


def test_help_has_no_literary_words() -> None:
    texts = (
        text for program in PROGRAMS if program.parent.name == "cli" for text in _helps(program.read_text())
    )
    assert _found(texts) == []


def test_literary_words_are_noticed() -> None:
    assert _found(
        _strings('raise LabError("node-1 has not the label", resolution=f"{why}: begin anew")')
    ) == [
        "has not the",
        "begin anew",
    ]


@pytest.mark.parametrize("page", [chinese for _, chinese in TWINS], ids=lambda page: page.name)
def test_chinese_punctuation_is_full_width(page: Path) -> None:
    code = INDENTED.sub("", CODE_BLOCK.sub("", page.read_text()))
    prose = CODE.sub("", LINK.sub("]", code))
    assert [line for line in prose.splitlines() if HALF_WIDTH.search(line)] == []


def test_half_width_punctuation_is_noticed() -> None:
    assert HALF_WIDTH.search("\u7b2c\u4e00\u6b21,lab")
    assert HALF_WIDTH.search("lab (\u7b2c\u4e00\u6b21")


@pytest.mark.parametrize(("english_page", "chinese_page"), TWINS, ids=lambda page: page.name)
def test_the_chinese_page_has_the_same_code_and_links_as_the_english_one(
    english_page: Path, chinese_page: Path
) -> None:
    english, chinese = english_page.read_text(), chinese_page.read_text()
    assert CODE_BLOCK.findall(chinese) == CODE_BLOCK.findall(english) or english_page == ENGLISH
    assert set(CODE.findall(CODE_BLOCK.sub("", chinese))) == set(CODE.findall(CODE_BLOCK.sub("", english)))
    assert LINK.findall(chinese)[1:] == LINK.findall(english)[1:]


@pytest.mark.parametrize("page", [*PAGES, *RECORDS, CHINESE], ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    files = {link.partition("#")[0] for link in LINK.findall(page.read_text()) if "://" not in link}
    assert [file for file in sorted(files - {""}) if not (page.parent / file).exists()] == []
