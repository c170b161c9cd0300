"""A page for each mode, with the way of a packet in both directions, in two languages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lab.foundation.language import in_chinese
from lab.modes.mode import Mode
from lab.modes.registry import MODES
from scripts.docs_site.mode_picture import mode_svg
from scripts.docs_site.mode_ways import ModeWay, ways_of

FOLDER = Path(__file__).parent
WORDS = FOLDER / "mode_words.yaml"
ENGLISH, CHINESE = "mode.md.j2", "mode.zh-CN.md.j2"


def page_name(mode: Mode) -> str:
    """Of the English page."""
    return f"mode-{mode.name}.md"


@dataclass(frozen=True)
class ModePage:
    """Of one mode."""

    name: str
    """Of the English page."""
    english: str
    chinese: str
    pictures: Mapping[str, str]
    """SVG by path."""


def mode_pages() -> Iterator[ModePage]:
    """Of all modes, in the order of the registry."""
    for mode in MODES:
        ways = ways_of(mode)
        english, chinese = (mode_page(mode, ways, template) for template in (ENGLISH, CHINESE))
        pictures = {way.picture: mode_svg(way.legs) for way in ways}
        yield ModePage(page_name(mode), english, chinese, pictures)


def mode_page(mode: Mode, ways: Sequence[ModeWay], template: str) -> str:
    """The text of the page, from the template of its language."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - it is Markdown
        keep_trailing_newline=True,
    )
    environment.filters["said"] = in_chinese
    words = yaml.safe_load(WORDS.read_text(encoding="utf-8"))
    capture, wireshark = filters_of(mode)
    return environment.get_template(template).render(
        mode=mode, ways=ways, words=words, filter=capture, wireshark=wireshark
    )


def filters_of(mode: Mode) -> tuple[str, str]:
    """What shows packets between pods on the underlay: for pcap-filter(7), and for Wireshark's display."""
    around = mode.encapsulation
    if around is None:
        return "icmp", "icmp"
    if around.port is None:
        return "ip proto 4", "ip.proto == 4"
    return f"udp port {around.port}", f"udp.port == {around.port}"
