"""Headers of all tunnels, of quoted packets, and of what is no packet."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, CookedLinuxV2, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet as Layer
from scapy.packet import Raw

from lab.packets.capture_format import CapturedFrame, LinkType
from lab.packets.headers import headers_of

ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
OUTER = IP(src="172.31.7.102", dst="172.31.7.103")
INNER = IP(src="10.200.1.2", dst="10.200.2.3") / TCP(sport=40000, dport=80, flags="S")
MACS = "02:00:00:00:00:01 > 02:00:00:00:00:02"


def words(frame: Layer, link_type: int = LinkType.ETHERNET) -> list[str]:
    data = bytes(frame)
    return [str(header) for header in headers_of(link_type, CapturedFrame(0, data, len(data)))]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (ETHER / INNER, ["10.200.1.2 > 10.200.2.3, TTL 64", "TCP 40000 > 80 [S]"]),
        (ETHER / Dot1Q(vlan=4) / IP(src="10.0.0.1", dst="10.0.0.2") / ICMP(), ["VLAN 4"]),
        (ETHER / OUTER / INNER, ["172.31.7.102 > 172.31.7.103, TTL 64", "10.200.1.2 > 10.200.2.3, TTL 64"]),
        (
            ETHER / OUTER / UDP(sport=9, dport=8472) / VXLAN(vni=4, flags=8) / ETHER / INNER,
            ["UDP 9 > 8472", "VXLAN 4", "10.200.1.2 > 10.200.2.3, TTL 64", "TCP 40000 > 80 [S]"],
        ),
        (ETHER / OUTER / UDP(sport=9, dport=8285) / Raw(bytes(INNER)), ["TCP 40000 > 80 [S]"]),
        (ETHER / OUTER / UDP(sport=9, dport=53) / Raw(b"E no packet at all, 20 bytes"), ["UDP 9 > 53"]),
        (ETHER / OUTER / ICMP(type=3, code=1) / INNER, ["ICMP dest-unreach host-unreachable about"]),
        (ETHER / ARP(psrc="10.0.0.1", pdst="10.0.0.2"), ["ARP: 10.0.0.1 asks who has 10.0.0.2"]),
        (ETHER / ARP(op=2, psrc="10.0.0.1", pdst="10.0.0.2"), ["ARP: 10.0.0.1 tells 10.0.0.2"]),
        (ETHER / IPv6(src="fe80::1", dst="fe80::2") / UDP(dport=53), ["fe80::1 > fe80::2, hop limit 64"]),
    ],
)
def test_headers_are_told_from_the_outside_in(frame: Layer, said: list[str]) -> None:
    told = words(frame)
    assert told[0] == MACS
    places = [next((i for i, line in enumerate(told) if line.startswith(wanted)), None) for wanted in said]
    assert None not in places, told
    assert places == sorted(places, key=lambda place: place or 0)


def test_a_quoted_packet_is_no_header_of_the_frame() -> None:
    data = bytes(ETHER / OUTER / ICMP(type=3, code=1) / INNER)
    *_, error = headers_of(LinkType.ETHERNET, CapturedFrame(0, data, len(data)))
    assert "TCP 40000 > 80" in str(error)


def test_other_link_types() -> None:
    assert words(INNER, LinkType.RAW_IP)[0] == "10.200.1.2 > 10.200.2.3, TTL 64"
    assert words(IPv6(src="fe80::1", dst="fe80::2"), LinkType.RAW_IP) == ["fe80::1 > fe80::2, hop limit 64"]
    assert words(CookedLinuxV2(proto=0x0800) / INNER, LinkType.SLL2)[1] == "TCP 40000 > 80 [S]"
    assert words(CookedLinuxV2(proto=0x88CC) / Raw(b"lldp"), LinkType.SLL2) == [
        "4 bytes of no protocol known here"
    ]


def test_a_frame_that_was_cut_short_is_read_as_far_as_it_goes() -> None:
    data = bytes(ETHER / OUTER / UDP(sport=9, dport=8472) / VXLAN(vni=4, flags=8) / ETHER / INNER)[:60]
    told = [str(header) for header in headers_of(LinkType.ETHERNET, CapturedFrame(0, data, 200))]
    assert told[:4] == [MACS, "172.31.7.102 > 172.31.7.103, TTL 64", "UDP 9 > 8472", "VXLAN 4"]
