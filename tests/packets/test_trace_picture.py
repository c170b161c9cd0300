"""The picture of a trace: nothing overlaps, everything is in it, and it is small."""

from __future__ import annotations

import re
from itertools import combinations

import pytest

from lab.packets.trace_picture import CHARACTER, Layout, layout_of, trace_svg
from lab.topology.svg import Box
from tests.packets.small_network import SmallNetwork
from tests.packets.test_trace import Sent, send

LINE_HEIGHT = 15.0


@pytest.fixture(params=["", "sysctl -qw net.ipv4.ip_forward=0"], ids=["delivered", "lost"])
def sent(network: SmallNetwork, request: pytest.FixtureRequest) -> Sent:
    network.run("node-b", request.param)
    return send(network)


def boxes(layout: Layout) -> list[Box]:
    found = [each.box for way in layout.ways for each in way.hops]
    for way in layout.ways:
        for each in way.hops:
            found += [
                Box(layout.words, each.box.y + number * LINE_HEIGHT, len(line) * CHARACTER, LINE_HEIGHT)
                for number, line in enumerate(each.lines)
            ]
        top = way.bottom - LINE_HEIGHT * len(way.lost)
        found += [
            Box(layout.words, top + number * LINE_HEIGHT, len(line) * CHARACTER, LINE_HEIGHT)
            for number, line in enumerate(way.lost)
        ]
    return found


def test_nothing_overlaps_or_leaves_the_picture(sent: Sent) -> None:
    layout = layout_of(sent.trace)
    every = boxes(layout)
    assert len(every) > 10
    for box in every:
        assert box.x >= 0
        assert box.right <= layout.width
        assert box.bottom <= layout.height
    for first, second in combinations(every, 2):
        apart = (
            first.right <= second.x
            or second.right <= first.x
            or first.bottom <= second.y
            or second.bottom <= first.y
        )
        assert apart, (first, second)


def test_the_picture_has_every_hop_and_reason(sent: Sent) -> None:
    svg = trace_svg(sent.trace)
    assert len(svg) < 150_000
    texts = re.findall(r"<text[^>]*>([^<]+)", svg)
    for way in sent.trace.ways:
        for hop in way.chain.hops:
            assert f"{hop.action} [{hop.sighting.frame}]" in texts
        if way.lost is not None:
            assert any(text.startswith("lost here") for text in texts)
            assert any(way.lost.reasons[0].code.value in text for text in texts)
