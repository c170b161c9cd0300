"""Why a packet got lost, from what a namespace says before and after, on paper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from lab.packets.facts import Device, NamespaceFacts
from lab.packets.headers import Arp, Header, Icmp, IPv4
from lab.packets.reasons import Code, Confidence, Reason, Route, Scene, reasons_for
from lab.packets.sightings import MatchedBy, Sighting

SENDER, TARGET, HOP = (IPv4Address(each) for each in ("10.200.1.2", "10.200.2.3", "172.31.7.103"))
ETH1 = Device("eth1", 3, "", "52:54:00:00:00:0a", 1500, True, "", "", 0, 0)
FACTS = NamespaceFacts(
    {"eth1": ETH1}, frozenset([IPv4Address("172.31.7.102")]), {}, {}, {}, {}, True, {"eth1": 0}
)
PACKET = IPv4(SENDER, TARGET, 64, 1, 84, dont_fragment=True, offset=0)
ASKED: tuple[Header, ...] = (PACKET, Icmp(8, 0, "echo-request"))
LAST = Sighting("k8s-node1", "cni0", False, ASKED, 0, 0, 1, MatchedBy.CONTENT)
SCENE = Scene(
    LAST,
    "k8s-node1",
    FACTS,
    FACTS,
    Route("10.200.2.3 via 172.31.7.103 dev eth1", "eth1", HOP),
    "k8s-node1",
    "eth1",
)


def error(type_: int, code: int, words: str) -> tuple[Header, ...]:
    return (IPv4(HOP, SENDER, 64, 2, 112, dont_fragment=False, offset=0), Icmp(type_, code, words, ASKED))


def after(scene: Scene, **facts: object) -> Scene:
    return replace(scene, after=replace(FACTS, **facts))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "code", "confidence", "evidence"),
    [
        (
            lambda s: after(s, forwarding=False),
            Code.FORWARDING_OFF,
            Confidence.CERTAIN,
            "net.ipv4.ip_forward is 0 in k8s-node1",
        ),
        (
            lambda s: after(s, counters={"TcpExtIPReversePathFilter": 1}, reverse_path_filters={"eth1": 1}),
            Code.REVERSE_PATH,
            Confidence.CERTAIN,
            "IPReversePathFilter of k8s-node1 +1, rp_filter is 1 on eth1",
        ),
        (
            lambda s: after(s, rules={"filter -A FORWARD -j DROP": 2}),
            Code.FIREWALL,
            Confidence.LIKELY,
            "filter -A FORWARD -j DROP of k8s-node1 +2",
        ),
        (
            lambda s: after(s, rules={"filter -P FORWARD DROP": 1}),
            Code.FIREWALL,
            Confidence.LIKELY,
            "filter -P FORWARD DROP of k8s-node1 +1",
        ),
        (
            lambda s: replace(s, route=Route("RTNETLINK answers: Network is unreachable", "", None)),
            Code.NO_ROUTE,
            Confidence.CERTAIN,
            "ip route get in k8s-node1: RTNETLINK answers: Network is unreachable",
        ),
        (
            lambda s: after(s, neighbours={HOP: "FAILED"}),
            Code.NO_NEIGHBOUR,
            Confidence.CERTAIN,
            "172.31.7.103 is FAILED in k8s-node1",
        ),
        (
            lambda s: after(s, devices={"eth1": replace(ETH1, up=False)}),
            Code.DEVICE,
            Confidence.CERTAIN,
            "k8s-node1/eth1 is down",
        ),
        (
            lambda s: after(s, devices={"eth1": replace(ETH1, mtu=60)}),
            Code.MTU,
            Confidence.LIKELY,
            "the packet has 84 bytes, k8s-node1/eth1 takes 60",
        ),
        (
            lambda s: after(s, queue_drops={"eth1": 1}),
            Code.QUEUE,
            Confidence.LIKELY,
            "the queue of k8s-node1/eth1 threw away 1",
        ),
        (
            lambda s: replace(after(s, queue_drops={"eth1": 1}), expected_device=""),
            Code.QUEUE,
            Confidence.LIKELY,
            "the queue of k8s-node1/eth1 threw away 1",
        ),
        (
            lambda s: after(s, devices={"eth1": replace(ETH1, dropped=3)}),
            Code.DEVICE,
            Confidence.LIKELY,
            "k8s-node1/eth1 threw away 3",
        ),
    ],
)
def test_each_reason_has_its_evidence(
    change: Callable[[Scene], Scene], code: Code, confidence: Confidence, evidence: str
) -> None:
    assert reasons_for(change(SCENE), (), ()) == [Reason(code, evidence, confidence)]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        (error(3, 0, "dest-unreach network-unreachable"), Code.NO_ROUTE),
        (error(3, 1, "dest-unreach host-unreachable"), Code.NO_NEIGHBOUR),
        (error(3, 3, "dest-unreach port-unreachable"), Code.NO_SOCKET),
        (error(3, 4, "dest-unreach fragmentation-needed"), Code.MTU),
        (error(3, 13, "dest-unreach communication-prohibited"), Code.FIREWALL),
        (error(11, 0, "time-exceeded ttl-zero-during-transit"), Code.TTL),
    ],
)
def test_an_error_by_icmp_is_certain(headers: tuple[Header, ...], code: Code) -> None:
    (reason,) = reasons_for(SCENE, [headers], ())
    assert (reason.code, reason.confidence) == (code, Confidence.CERTAIN)
    assert "172.31.7.103 > 10.200.1.2" in reason.evidence


def test_what_is_certain_comes_first() -> None:
    scene = after(SCENE, forwarding=False, rules={"filter -A FORWARD -j DROP": 1})
    asked = [Arp(IPv4Address("172.31.7.102"), HOP, asks=True)]
    assert [reason.code for reason in reasons_for(scene, (), asked)] == [
        Code.FORWARDING_OFF,
        Code.FIREWALL,
        Code.NO_NEIGHBOUR,
    ]


def test_a_frame_that_did_not_come_out_of_a_wire() -> None:
    out = replace(LAST, device="eth1", out=True)
    scene = replace(
        SCENE,
        last=out,
        route=None,
        expected_place="lab-host",
        expected_device="vnet1",
        expected_before=replace(FACTS, devices={"vnet1": replace(ETH1, name="vnet1")}),
        expected_after=replace(FACTS, devices={"vnet1": replace(ETH1, name="vnet1")}),
    )
    (reason,) = reasons_for(scene, (), ())
    assert (reason.code, reason.evidence) == (
        Code.WIRE,
        "it left k8s-node1 and did not come to lab-host/vnet1",
    )


def test_without_evidence_it_is_not_known() -> None:
    assert [reason.code for reason in reasons_for(SCENE, (), ())] == [Code.UNKNOWN]
