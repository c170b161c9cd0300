"""Writes the folder that the site's generator reads: each page in both languages, under one name.

The generator takes `page.md` for English and `page.zh.md` for Chinese, as its theme calls the language.
Where a page has no Chinese twin, the English text stands in for it below a note. Headings of a Chinese page
get the anchors of the English ones, so that a link leads to the same place in both languages.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from scripts.docs_site.commands import commands_page
from scripts.docs_site.markdown import ANCHOR, CODE, ITEM, Page
from scripts.docs_site.mode_pages import mode_pages

CHINESE = ".zh-CN.md"
ON_THE_SITE = ".zh.md"
OF_THE_ROOT = ("CONTRIBUTING.md", "CHANGELOG.md")
"""Pages that are not in docs/; the site has them beside the others."""
EXTRA = ("iframe-worker.js", "site.css")
"""Beside this module, and loaded by every page."""
LANGUAGE_LINK = re.compile(r"^\[(?:中文|English)\]\([^)]+\)\n\n?", re.MULTILINE)


def stage(root: Path, target: Path) -> None:
    """Replaces what is in `target`."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for source in sorted((root / "docs").iterdir()):
        if source.is_dir():
            shutil.copytree(source, target / source.name)
        elif source.suffix != ".md":
            shutil.copy(source, target)
    (target / "extra").mkdir()
    for name in EXTRA:
        shutil.copy(Path(__file__).with_name(name), target / "extra")
    for page in english_pages(root):
        _write_both(page, target)
    _write_mode_pages(target)
    for intro, name in (("commands.md", "commands.md"), (f"commands{CHINESE}", f"commands{ON_THE_SITE}")):
        (target / name).write_text(commands_page(_own(intro)), encoding="utf-8")


def english_pages(root: Path) -> list[Path]:
    pages = [page for page in (root / "docs").glob("*.md") if not page.name.endswith(CHINESE)]
    return sorted(pages) + [root / name for name in OF_THE_ROOT]


def twin(page: Path) -> Path:
    return page.with_name(page.stem + CHINESE)


def _write_both(page: Path, target: Path) -> None:
    english = page.read_text(encoding="utf-8")
    if twin(page).exists():
        chinese = with_anchors(twin(page).read_text(encoding="utf-8"), english)
    else:
        title, _, rest = english.partition("\n")
        chinese = f"{title}\n\n{_own('no-twin.zh-CN.md')}{rest}"
    for text, name in ((english, page.name), (chinese, page.stem + ON_THE_SITE)):
        (target / name).write_text(for_the_site(text), encoding="utf-8")


def _write_mode_pages(target: Path) -> None:
    (target / "pictures").mkdir(exist_ok=True)
    for page in mode_pages():
        (target / page.name).write_text(page.english, encoding="utf-8")
        chinese = target / page.name.replace(".md", ON_THE_SITE)
        chinese.write_text(with_anchors(page.chinese, page.english), encoding="utf-8")
        for path, svg in page.pictures.items():
            (target / path).write_text(svg, encoding="utf-8")


def _own(name: str) -> str:
    """A text that lies beside this module."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def with_anchors(chinese: str, english: str) -> str:
    """The Chinese page, each heading with the anchor of its counterpart in the English page."""
    page = Page(ANCHOR.sub("", chinese))
    lines = list(page.lines)
    for heading, original in zip(page.headings, Page(english).headings, strict=True):
        lines[heading.line] += f" {{ #{original.anchor} }}"
    return "\n".join(lines) + "\n"


def for_the_site(text: str) -> str:
    """A page of docs/ as the generator understands it: GitHub's Markdown differs in lists and tables."""
    text = LANGUAGE_LINK.sub("", text)
    text = re.sub(r"\]\((?:docs/)?([\w-]+)(?:\.zh-CN)?\.md", r"](\1.md", text)
    return "\n".join(_lists_by_four(Page(text))) + "\n"


def _lists_by_four(page: Page) -> list[str]:
    """Python-Markdown wants four spaces for what is in a list, and an empty line before it."""
    fenced = {number for block in page.fenced_blocks for number in block}
    offsets: list[int] = []
    done: list[str] = []
    in_text = False
    """Whether the line before was text that is no item of a list."""
    for number, line in enumerate(page.lines):
        stripped = line.lstrip()
        indent = len(line) - len(stripped)
        if not stripped:
            done.append("")
            in_text = False
            continue
        while offsets and indent < offsets[-1]:
            offsets.pop()
        extra = indent - (offsets[-1] if offsets else 0)
        item = ITEM.match(stripped) if number not in fenced and extra < 4 else None
        if item and in_text and not offsets:
            done.append("")
        done.append(" " * (4 * len(offsets) + extra) + _cells(stripped))
        if item:
            offsets.append(indent + len(item.group()))
        in_text = number not in fenced and not offsets
    return done


def _cells(line: str) -> str:
    """In a table, a bar inside code needs no backslash here, and would show it."""
    return CODE.sub(lambda code: code.group().replace(r"\|", "|"), line) if line.startswith("|") else line
