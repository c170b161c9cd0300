"""What people read is plain technical English, and Chinese punctuation is full-width."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.docs_site.markdown import CODE, Page
from scripts.docs_site.stage import CHINESE, english_pages, twin

ROOT = Path(__file__).parent.parent.parent
ENGLISH_PAGES = [ROOT / "README.md", *english_pages(ROOT)]
TWINS = [(page, twin(page)) for page in ENGLISH_PAGES if twin(page).exists()]
"""Pages in both languages that say the same."""
CHINESE_PAGES = [chinese for _, chinese in TWINS]
RECORDS = (ROOT / "docs" / "fault-trials.md", ROOT / "docs" / "performance.md", ROOT / "CHANGELOG.md")
"""Written by programs, which quote what was said on the day of a run; or of the past."""
PAGES = sorted(set(ENGLISH_PAGES) - set(RECORDS))
PROGRAMS = sorted(path for folder in ("lab", "acceptance") for path in (ROOT / folder).rglob("*.py"))

LITERARY = re.compile(
    r"\b(to mend|heed(?!_)|dear|that young|cluster of others|with a word|without a word|has not the"
    r"|not so after|whose kind|begins? anew|never finished being)\b",
    re.IGNORECASE,
)
HAN = "[\u4e00-\u9fff]"
HALF_WIDTH = re.compile(f"{HAN}[,:;!?()]|[,:;!?()]{HAN}")
LINK = re.compile(r"\]\(([^)]+)\)")
COMMENT = re.compile(r"\s{2,}# .*$")
NUMBER = re.compile(r"[A-Za-z0-9_./*-]*\d(?:[A-Za-z0-9_./*:-]*[A-Za-z0-9*])?")
"""What has a digit, as addresses, ports and versions do, is the same in all languages."""


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


@pytest.mark.parametrize("page", CHINESE_PAGES, ids=lambda page: page.name)
def test_chinese_punctuation_is_full_width(page: Path) -> None:
    prose = [CODE.sub("", LINK.sub("]", line)) for _, line in Page(page.read_text()).prose]
    assert [line for line in prose if HALF_WIDTH.search(line)] == []


def test_half_width_punctuation_is_noticed() -> None:
    assert HALF_WIDTH.search("\u7b2c\u4e00\u6b21,lab")
    assert HALF_WIDTH.search("lab (\u7b2c\u4e00\u6b21")


def _lags(chinese: str, english: str) -> list[str]:
    """In what the Chinese page differs from the English one, beyond its language."""
    here, there = Page(chinese), Page(english)
    found = []
    if here.shape != there.shape:
        found.append("headings, rows of tables or items of lists")
    if here.links[1:] != there.links[1:]:  # the first one leads to the other language
        found.append("links")
    if different := here.inline_code ^ there.inline_code:
        found.append(f"code: {sorted(different)}")
    for blocks, others in (
        (here.fenced_blocks, there.fenced_blocks),
        (here.indented_blocks, there.indented_blocks),
    ):
        if len(blocks) != len(others):
            found.append(f"{len(blocks)} blocks of code, not {len(others)}")
        for block, other in zip(blocks, others, strict=False):
            if not _same_code(here.code(block), there.code(other)):
                found.append(f"the block of code {there.code(other)}")
    return found


def _same_code(chinese: list[str], english: list[str]) -> bool:
    """Comments, and words in a drawing, may be translated; lines, addresses and numbers stay."""
    if len(chinese) != len(english):
        return False
    numbers = [sorted(NUMBER.findall("\n".join(lines))) for lines in (chinese, english)]
    return numbers[0] == numbers[1] and all(
        COMMENT.sub("", here) == COMMENT.sub("", there)
        for here, there in zip(chinese, english, strict=True)
        if not re.search(HAN, COMMENT.sub("", here))
    )


@pytest.mark.parametrize(("english", "chinese"), TWINS, ids=lambda page: page.name)
def test_the_chinese_page_does_not_lag_the_english_one(english: Path, chinese: Path) -> None:
    assert _lags(chinese.read_text(), english.read_text()) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("## Two", "### Two"),
        ("| b | c |\n", ""),
        ("- item\n", ""),
        ("x.md#a", "x.md"),
        ("`c`", "`d`"),
        ("lab up", "lab down"),
        ("port 80", "port 81"),
    ],
)
def test_a_page_that_lags_is_noticed(old: str, new: str) -> None:
    english = (
        "# One\n\n[l](p.md)\n\n## Two\n\n| `a` | 1 |\n| b | c |\n\n- item\n- see `c`, [x](x.md#a)\n\n"
        "Text\n\n    lab up    # begin\n\n    pod -> port 80 -> pod\n"
    )
    chinese = english.replace("# begin", "# \u5f00\u59cb").replace("> pod", "> \u5bb9\u5668")
    assert _lags(chinese, english) == []
    assert old in chinese
    assert len(_lags(chinese.replace(old, new), english)) == 1


def _dead(page: Path) -> list[str]:
    """The links of a page to files or anchors that do not exist."""
    found = []
    for link in Page(page.read_text()).links:
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        if "://" in link:
            continue
        if not target.exists() or (anchor and anchor not in Page(target.read_text()).anchors):
            found.append(link)
    return found


@pytest.mark.parametrize("page", [*ENGLISH_PAGES, *CHINESE_PAGES], ids=lambda page: page.name)
def test_no_link_is_dead(page: Path) -> None:
    assert _dead(page) == []


def test_dead_links_are_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    (tmp_path / "other.md").write_text("# A heading, of `two` parts\n")
    page.write_text(
        '<a id="here"></a>\n[1](other.md#a-heading-of-two-parts) [2](#here) [3](https://example.com/x)'
        " [4](none.md) [5](other.md#none) [6](#none) `[7](code.md)`\n\n    [8](code.md)\n"
    )
    assert _dead(page) == ["none.md", "other.md#none", "#none"]


def test_every_chinese_page_has_an_english_one() -> None:
    pages = {page for folder in (ROOT, ROOT / "docs") for page in folder.glob(f"*{CHINESE}")}
    assert pages == set(CHINESE_PAGES)
