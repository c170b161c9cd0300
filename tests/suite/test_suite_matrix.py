"""The matrix: which cells there are, and when a cell is right."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from acceptance.expectations import Expectations, Reach, Source, Way, load_expectations
from acceptance.inventory import Inventory
from acceptance.matrix import (
    Cell,
    Endpoint,
    EndpointKind,
    Pair,
    Sources,
    cell_text,
    endpoints,
    mistakes,
    must_be_silent,
    needs_another_try,
    ordinal,
    pairs,
    table,
)
from acceptance.probes import Answer, Protocol

POD = Endpoint(EndpointKind.POD, "k8s-node1")
LAN_HOST = Endpoint(EndpointKind.LAN_HOST)
PAIR = Pair(POD, LAN_HOST, Way.POD_TO_LAN_HOST)
SOURCES: Sources = {
    Source.POD: frozenset({IPv4Address("10.200.1.5")}),
    Source.NODE: frozenset({IPv4Address("172.31.7.102"), IPv4Address("192.168.31.102")}),
    Source.NODE_UNDERLAY: frozenset({IPv4Address("172.31.7.102")}),
}
FROM_NODE = Reach(answers=True, source=Source.NODE_UNDERLAY)
SILENCE = Reach(answers=False, because="there is no route")


def _cell(ping: bool, tcp: str | None, udp: str | None) -> Cell:
    def answer(source: str | None) -> Answer:
        return Answer.heard(f"{source}:5000") if source else Answer.silence("i/o timeout")

    return Cell(
        PAIR,
        {
            Protocol.PING: Answer.heard() if ping else Answer.silence("no reply"),
            Protocol.TCP: answer(tcp),
            Protocol.UDP: answer(udp),
        },
    )


def test_every_pair_is_in_the_matrix_once(inventory: Inventory, macvlan: Expectations) -> None:
    assert len(endpoints(inventory, macvlan)) == 4 + 3 + 1 + 1  # pods, nodes, LAN host, uplink
    every = pairs(inventory, macvlan)
    assert len({pair.label for pair in every}) == len(every)
    assert Counter(pair.way for pair in every) == {
        Way.POD_TO_POD_SAME_NODE: 2,
        Way.POD_TO_POD_OTHER_NODE: 4 * 3 - 2,
        Way.POD_TO_OWN_NODE: 4,
        Way.POD_TO_OTHER_NODE: 8,
        Way.POD_TO_LAN_HOST: 4,
        Way.POD_TO_UPLINK: 4,
        Way.NODE_TO_OWN_POD: 4,
        Way.NODE_TO_OTHER_POD: 8,
        Way.NODE_TO_NODE: 6,
        Way.NODE_TO_LAN_HOST: 3,
        Way.LAN_HOST_TO_NODE: 3,
        Way.LAN_HOST_TO_POD: 4,
    }


def test_two_groups_of_pods_meet_each_other(inventory: Inventory) -> None:
    hybridnet = load_expectations("hybridnet", {})
    every = {pair.label: pair for pair in pairs(inventory, hybridnet)}
    assert len(endpoints(inventory, hybridnet)) == 7 + 3 + 1 + 1
    there, back = (
        every["overlay.k8s-node1-to-underlay.k8s-node2"],
        every["underlay.k8s-node2-to-overlay.k8s-node1"],
    )
    assert there.way is back.way is Way.POD_TO_POD_OTHER_NODE
    assert (there.group, back.group) == ("overlay", "underlay")
    assert every["lan-host-to-underlay.k8s-node2"].group == "underlay"
    assert hybridnet.of("underlay").reach[Way.LAN_HOST_TO_POD].answers
    assert not hybridnet.of("overlay").reach[Way.LAN_HOST_TO_POD].answers
    assert hybridnet.of("") is hybridnet


def test_the_right_source_is_right() -> None:
    cell = _cell(True, "172.31.7.102", "172.31.7.102")
    assert mistakes(cell, FROM_NODE, SOURCES) == ()
    assert cell_text(cell, FROM_NODE, SOURCES) == "yes node"


def test_a_wrong_source_is_a_mistake_though_everything_answers() -> None:
    cell = _cell(True, "10.200.1.5", "192.168.31.102")
    wrong = mistakes(cell, FROM_NODE, SOURCES)
    assert wrong == (
        "tcp: the target saw 10.200.1.5:5000, expected 172.31.7.102 (node-underlay)",
        "udp: the target saw 192.168.31.102:5000, expected 172.31.7.102 (node-underlay)",
    )
    assert cell_text(cell, FROM_NODE, SOURCES) == "YES NODE POD"


def test_one_silent_protocol_is_a_mistake() -> None:
    cell = _cell(True, "172.31.7.102", None)
    assert mistakes(cell, FROM_NODE, SOURCES) == ("udp: no answer: i/o timeout",)
    assert needs_another_try(cell, FROM_NODE) == (Protocol.UDP,)
    assert cell_text(cell, FROM_NODE, SOURCES) == "NO udp"


def test_silence_is_right_where_silence_is_expected() -> None:
    cell = _cell(False, None, None)
    assert mistakes(cell, SILENCE, SOURCES) == ()
    assert needs_another_try(cell, SILENCE) == ()
    assert cell_text(cell, SILENCE, SOURCES) == "no"


def test_an_answer_where_silence_is_expected_is_a_mistake() -> None:
    cell = _cell(True, None, None)
    assert mistakes(cell, SILENCE, SOURCES) == (
        "ping: answered, but no answer is expected (there is no route)",
    )
    assert cell_text(cell, SILENCE, SOURCES) == "ANSWERS ping"


def test_what_was_not_tried_is_never_right() -> None:
    cell = Cell(PAIR, {}, "pod probe-k8s-node1 is Pending")
    for expected in (FROM_NODE, SILENCE):
        assert mistakes(cell, expected, SOURCES) == ("could not be tried: pod probe-k8s-node1 is Pending",)
        assert cell_text(cell, expected, SOURCES) == "NOT TRIED"


@pytest.mark.parametrize("expected", [FROM_NODE, SILENCE], ids=["answers", "silence"])
def test_what_was_not_asked_is_never_right_and_asked_again(expected: Reach) -> None:
    cell = _cell(True, "172.31.7.102", "172.31.7.102") if expected.answers else _cell(False, None, None)
    refused = Answer.unasked("commands on k8s-node1 failed: Connection refused")
    cell = replace(cell, answers={**cell.answers, Protocol.TCP: refused, Protocol.UDP: refused})
    assert mistakes(cell, expected, SOURCES) == tuple(
        f"{protocol}: not asked: commands on k8s-node1 failed: Connection refused"
        for protocol in ("tcp", "udp")
    )
    assert needs_another_try(cell, expected) == (Protocol.TCP, Protocol.UDP)
    assert must_be_silent(cell, expected) == (() if expected.answers else (Protocol.PING,))
    assert cell_text(cell, expected, SOURCES) == "NOT ASKED tcp udp"


def test_what_answered_at_a_later_try_is_right_and_told() -> None:
    cell = _cell(True, "172.31.7.102", "172.31.7.102")
    late = replace(cell.answers[Protocol.UDP], tries=3)
    cell = replace(cell, answers={**cell.answers, Protocol.UDP: late})
    assert mistakes(cell, FROM_NODE, SOURCES) == ()
    assert cell_text(cell, FROM_NODE, SOURCES) == "yes node (3rd)"


def test_tries_are_counted_as_people_do() -> None:
    assert [ordinal(number) for number in (1, 2, 3, 4, 11, 12, 13, 21, 22, 101)] == [
        *("1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "101st")
    ]


def test_the_table_has_senders_as_rows() -> None:
    assert table({("a", "b"): "yes", ("b", "a"): "NO ping"}, ["a", "b"], ["a", "b"]).splitlines() == [
        "from \\ to  a        b",
        "a          -        yes",
        "b          NO ping  -",
    ]
