"""The page of a mode says what its definition says, in both directions, and what a captured packet did."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from lab.modes.mode import Mode
from lab.modes.registry import MODES, mode_named
from scripts.docs_site.markdown import Page
from scripts.docs_site.mode_pages import CHINESE, ENGLISH, WORDS, mode_page
from scripts.docs_site.mode_picture import mode_svg
from scripts.docs_site.mode_ways import ways_of

LOOKS = Path(__file__).parents[2] / "docs" / "looks.md"
CAPTURED = re.compile(r"^ ?\d+  (\S+) +[<>] (\S+)", re.M)
EVERY = pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)


@EVERY
def test_the_answer_takes_the_same_devices_back(mode: Mode) -> None:
    ways = ways_of(mode)
    assert [way.pods for way in ways] == [path.pods for path in mode.paths]
    for way in ways:
        there, back = way.legs
        assert [stop.device for stop in back] == [stop.device for stop in reversed(there)]
        assert [stop.device for stop in there][: len(there) // 2] == [
            stop.device for stop in reversed(there)
        ][: len(there) // 2]
        assert (there[0].packet, there[-1].packet, back[0].packet) == ("A > B", "A > B", "B > A")
        wrapped = {"|" in stop.packet for stop in there if stop.place == "lab-host"}
        assert wrapped == {bool(way.added)}


@EVERY
def test_the_pages_are_twins_and_the_picture_is_one(mode: Mode) -> None:
    ways = ways_of(mode)
    english, chinese = (Page(mode_page(mode, ways, template)) for template in (ENGLISH, CHINESE))
    assert english.shape == chinese.shape
    assert len(english.shape) > 20
    assert english.links == chinese.links
    roles = {stop.role for way in ways for leg in way.legs for stop in leg}
    assert roles <= yaml.safe_load(WORDS.read_text()).keys()
    for way in ways:
        picture = ElementTree.fromstring(mode_svg(way.legs))  # noqa: S314 - it was made here
        assert len(picture.findall("{*}rect")) == sum(map(len, way.legs))


def test_a_packet_that_was_captured_passed_the_same_devices() -> None:
    """The first trace that docs/looks.md shows, in flannel-vxlan: without the host's own TAP devices."""
    request = LOOKS.read_text().partition("mode flannel-vxlan: delivered")[2].partition("```")[0]
    passed = [device for place, device in CAPTURED.findall(request) if place != "lab-host"]
    (way,) = ways_of(mode_named("flannel-vxlan"))
    planned = [stop.device for stop in way.legs[0] if stop.place != "lab-host"]
    assert [re.sub(r"^veth\w+", "veth", device) for device in passed] == planned


def test_hybridnet_has_both_kinds_of_pods() -> None:
    overlay, underlay = ways_of(mode_named("hybridnet"))
    assert (overlay.kind, overlay.mtu, overlay.lan_reaches, overlay.lan_sees) == (
        "overlay",
        1450,
        False,
        "node",
    )
    assert (underlay.kind, underlay.mtu, underlay.lan_reaches, underlay.lan_sees) == (
        "underlay",
        1500,
        True,
        "pod",
    )
    assert underlay.added == ""
