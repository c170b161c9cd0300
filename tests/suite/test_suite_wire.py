"""The suite's judgement of what passes the NIC on the underlay while pods ping each other."""

from __future__ import annotations

import base64
import io
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6MLReport2, ICMPv6ND_NS, IPv6, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, GRE, LLC, STP, Dot1Q, Dot3, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet as Layer
from scapy.packet import Raw
from scapy.utils import PcapWriter

from acceptance import test_wire as checks
from acceptance.evidence import Evidence
from acceptance.expectations import FrameKind, Wire, Wrapping, load_expectations
from acceptance.frames import Arp, Frame, Icmp6, Other, Packet, Tunnel, read_frames
from acceptance.inventory import Inventory
from acceptance.matrix import Endpoint, EndpointKind
from acceptance.node_facts import Link, NodeFacts
from acceptance.problems import Problem
from acceptance.shell import Output, run_batch
from acceptance.traffic import Traffic
from acceptance.wire import (
    KEPT_BYTES,
    MOST_FRAMES,
    Crossing,
    Host,
    WireSight,
    read_sight,
    wire_command,
    wrong_on_the_wire,
)

PODS = (
    Host(IPv4Address("10.200.1.2"), "02:00:00:00:00:01"),
    Host(IPv4Address("10.200.2.3"), "02:00:00:00:00:02"),
)
NODES = (
    Host(IPv4Address("172.31.7.102"), "52:54:00:00:01:02"),
    Host(IPv4Address("172.31.7.103"), "52:54:00:00:01:03"),
)
NOTHING_ELSE: frozenset[FrameKind] = frozenset()
PLAIN = Wire(macs="node", allowed=NOTHING_ELSE)
OF_PODS = Wire(macs="pod", allowed=NOTHING_ELSE)
VXLAN_8472 = Wire(wrapped=Wrapping(protocol="vxlan", port=8472, bytes=50), macs="node", allowed=NOTHING_ELSE)
FLANNEL_UDP = Wire(wrapped=Wrapping(protocol="udp", port=8285, bytes=28), macs="node", allowed=NOTHING_ELSE)
IPIP = Wire(wrapped=Wrapping(protocol="ipip", bytes=20), macs="node", allowed=NOTHING_ELSE)

Ends = tuple[Host, Host]


def ethernet(ends: Ends) -> Layer:
    return Ether(src=ends[0].mac, dst=ends[1].mac)


def ip(ends: Ends) -> Layer:
    return IP(src=str(ends[0].address), dst=str(ends[1].address))


def ping(ends: Ends, length: int) -> Layer:
    return ip(ends) / ICMP() / Raw(bytes(length - 28))


def vxlan(ends: Ends, inner: Layer, port: int = 8472) -> Layer:
    return ip(ends) / UDP(sport=40000, dport=port) / VXLAN(vni=1) / Ether() / inner


def udp(ends: Ends, inner: Layer, port: int = 8285) -> Layer:
    return ip(ends) / UDP(sport=port, dport=port) / inner


def arp(sender: str, target: str) -> Layer:
    return ARP(psrc=sender, pdst=target)


def capture(*frames: Layer) -> bytes:
    """A file as tcpdump writes it, with that much of each frame."""
    file = io.BytesIO()
    writer = PcapWriter(file, linktype=1, snaplen=KEPT_BYTES)
    writer.write_header(None)
    for frame in frames:
        writer.write_packet(bytes(frame)[:KEPT_BYTES], wirelen=len(frame))
    writer.flush()
    return file.getvalue()


def read(*frames: Layer) -> tuple[Frame, ...]:
    return read_frames(capture(*frames))


def there_and_back(packets: tuple[Layer, Layer], macs: Ends = NODES) -> tuple[Frame, ...]:
    return read(ethernet(macs) / packets[0], ethernet(macs[::-1]) / packets[1])


def plain(length: int) -> tuple[Layer, Layer]:
    return ping(PODS, length), ping(PODS[::-1], length)


def in_vxlan(length: int, port: int = 8472, inside: Ends = PODS) -> tuple[Layer, Layer]:
    return (
        vxlan(NODES, ping(inside, length), port),
        vxlan(NODES[::-1], ping(inside[::-1], length), port),
    )


def in_udp(length: int) -> tuple[Layer, Layer]:
    return udp(NODES, ping(PODS, length)), udp(NODES[::-1], ping(PODS[::-1], length))


def in_ip(length: int) -> tuple[Layer, Layer]:
    return ip(NODES) / ping(PODS, length), ip(NODES[::-1]) / ping(PODS[::-1], length)


def only(frame: Layer) -> Frame:
    (found,) = read(frame)
    return found


def test_headers_inside_a_tunnel_are_read() -> None:
    frame = only(ethernet(NODES) / vxlan(NODES, ping(PODS, 1450)))
    outer = frame.content
    assert (frame.source_mac, frame.target_mac) == (NODES[0].mac, NODES[1].mac)
    assert isinstance(outer, Packet)
    assert (outer.source, outer.target, outer.port) == (NODES[0].address, NODES[1].address, 8472)
    assert (outer.tunnel, outer.length) == (Tunnel.VXLAN, 1500)
    assert isinstance(outer.inside, Packet)
    assert (outer.inside.source, outer.inside.length) == (PODS[0].address, 1450)
    assert str(frame) == (
        "172.31.7.102 > 172.31.7.103 UDP 40000 to 8472, 1500 bytes, vxlan around"
        " 10.200.1.2 > 10.200.2.3 ICMP echo-request, 1450 bytes (52:54:00:00:01:02 > 52:54:00:00:01:03)"
    )


def test_what_is_not_ipv4_is_kept() -> None:
    neighbour, report, spanning, tagged, asked = (
        frame.content
        for frame in read(
            ethernet(NODES) / IPv6() / ICMPv6ND_NS(),
            ethernet(NODES) / IPv6() / IPv6ExtHdrHopByHop() / ICMPv6MLReport2(),
            Dot3(src=NODES[0].mac, dst=NODES[1].mac) / LLC() / STP(),
            ethernet(NODES) / Dot1Q(vlan=4) / ping(PODS, 100),
            ethernet(NODES) / arp("172.31.7.102", "172.31.7.103"),
        )
    )
    assert (isinstance(neighbour, Icmp6) and neighbour.type, isinstance(report, Icmp6) and report.type) == (
        135,
        143,
    )
    assert isinstance(spanning, Other)
    assert "STP" in spanning.words
    assert isinstance(tagged, Other)
    assert asked == Arp(NODES[0].address, NODES[1].address)


def test_a_file_that_is_no_capture_of_ethernet_is_refused() -> None:
    with pytest.raises(ValueError, match="not a capture"):
        read_frames(b"nothing")
    of_another_kind = bytearray(capture(ethernet(NODES) / ping(PODS, 100)))
    of_another_kind[20] = 113  # LINKTYPE_LINUX_SLL
    with pytest.raises(ValueError, match="something else than Ethernet"):
        read_frames(bytes(of_another_kind))


@pytest.mark.parametrize(
    ("expected", "mtu", "frames"),
    [
        (PLAIN, 1500, there_and_back(plain(1500))),
        (OF_PODS, 1500, there_and_back(plain(1500), PODS)),
        (VXLAN_8472, 1450, there_and_back(in_vxlan(1450))),
        (FLANNEL_UDP, 1472, there_and_back(in_udp(1472))),
        (IPIP, 1480, there_and_back(in_ip(1480))),
    ],
)
def test_what_the_mode_puts_on_the_wire_is_right(expected: Wire, mtu: int, frames: tuple[Frame, ...]) -> None:
    assert wrong_on_the_wire(frames, expected, PODS, NODES, mtu) == []


@pytest.mark.parametrize(
    ("expected", "mtu", "frames", "said"),
    [
        (VXLAN_8472, 1450, there_and_back(plain(1450)), "no ping to 10.200.2.3 with vxlan 8472 around it"),
        (VXLAN_8472, 1450, there_and_back(plain(1450)), "unexpected on the wire: 10.200.1.2"),
        (VXLAN_8472, 1450, there_and_back(in_vxlan(1450, 4789)), "UDP 40000 to 4789, 1500 bytes"),
        (VXLAN_8472, 1472, there_and_back(in_vxlan(1450)), "1522 bytes between"),
        (VXLAN_8472, 1450, there_and_back(in_vxlan(1450, inside=NODES)), "no ping from 10.200.2.3"),
        (
            VXLAN_8472,
            1450,
            there_and_back((udp(NODES, Raw(bytes(1472)), 8472), udp(NODES[::-1], Raw(bytes(1472)), 8472))),
            "no ping to 10.200.2.3 with vxlan 8472 around it, 1500 bytes",
        ),
        (FLANNEL_UDP, 1472, there_and_back(in_ip(1472)), "no ping to 10.200.2.3 with udp 8285 around it"),
        (IPIP, 1480, there_and_back(in_vxlan(1450)), "no ping from 10.200.2.3 with ipip around it"),
        (PLAIN, 1500, there_and_back(in_vxlan(1450)), "no ping to 10.200.2.3 with nothing around it"),
        (PLAIN, 1500, there_and_back(plain(1500), PODS), "other MACs than the nodes' own"),
        (OF_PODS, 1500, there_and_back(plain(1500)), "other MACs than the pods' own"),
        (PLAIN, 1500, (), "no ping to 10.200.2.3"),
    ],
)
def test_a_ping_that_passes_in_another_way_is_told(
    expected: Wire, mtu: int, frames: tuple[Frame, ...], said: str
) -> None:
    assert said in "\n".join(wrong_on_the_wire(frames, expected, PODS, NODES, mtu))


UNDERLAY_POD = Host(IPv4Address("172.31.6.90"), "02:00:00:00:00:03")
SERVICE = Host(IPv4Address("10.96.0.1"), NODES[1].mac)
LAN_HOST = Host(IPv4Address("172.31.0.100"), "52:54:00:00:02:01")
BETWEEN_NODES = ethernet(NODES) / ip(NODES)
TO_UNDERLAY_POD = ethernet((NODES[0], UNDERLAY_POD)) / ip((NODES[0], UNDERLAY_POD))


@pytest.mark.parametrize(
    ("mode", "frame", "kind"),
    [
        ("flannel-vxlan", BETWEEN_NODES / TCP(sport=40000, dport=6443), FrameKind.NODE_TCP),
        ("flannel-vxlan", BETWEEN_NODES / TCP(sport=22, dport=40000), FrameKind.NODE_TCP),
        ("flannel-vxlan", ethernet(NODES) / arp("172.31.7.102", "172.31.7.103"), FrameKind.ARP),
        ("flannel-vxlan", ethernet(NODES) / IPv6() / ICMPv6ND_NS(), FrameKind.IPV6_ND),
        (
            "flannel-vxlan",
            ethernet(NODES) / IPv6() / IPv6ExtHdrHopByHop() / ICMPv6MLReport2(),
            FrameKind.IPV6_MLD,
        ),
        ("flannel-vxlan", ethernet(NODES) / vxlan(NODES, ip(PODS) / UDP(dport=53)), FrameKind.PODS_WRAPPED),
        (
            "flannel-vxlan",
            ethernet(NODES) / vxlan(NODES, ip((NODES[0], PODS[1])) / TCP()),
            FrameKind.PODS_WRAPPED,
        ),
        ("flannel-ipip", BETWEEN_NODES / ip(PODS) / TCP(), FrameKind.PODS_WRAPPED),
        ("calico-ipip", BETWEEN_NODES / TCP(sport=40000, dport=179), FrameKind.BGP),
        ("routed", ethernet(NODES) / ip(PODS) / TCP(), FrameKind.PODS),
        ("macvlan", TO_UNDERLAY_POD / TCP(), FrameKind.PODS),
        ("macvlan", ethernet(NODES) / arp("172.31.6.90", "172.31.7.102"), FrameKind.PODS_ARP),
        ("hybridnet", ethernet(NODES) / ip((NODES[0], UNDERLAY_POD)) / TCP(), FrameKind.PODS),
        ("hybridnet", ethernet(NODES) / vxlan(NODES, ping(PODS, 1450)), FrameKind.PODS_WRAPPED),
        (
            "hybridnet",
            ethernet(NODES) / vxlan(NODES, arp("10.200.1.2", "10.200.2.3")),
            FrameKind.PODS_ARP_WRAPPED,
        ),
        # Overlay pods reach underlay pods and other nodes through the tunnel, and ask for them in it.
        (
            "hybridnet",
            ethernet(NODES) / vxlan(NODES, arp("172.31.7.102", "172.31.6.90")),
            FrameKind.HOSTS_ARP_WRAPPED,
        ),
        (
            "hybridnet",
            ethernet(NODES) / vxlan(NODES, arp("172.31.7.102", "172.31.7.103")),
            FrameKind.HOSTS_ARP_WRAPPED,
        ),
    ],
)
def test_what_may_pass_has_a_name_that_the_mode_allows(
    inventory: Inventory, mode: str, frame: Layer, kind: FrameKind
) -> None:
    traffic = Traffic.of(inventory, load_expectations(mode, {}))
    assert traffic.kind_of(only(frame).content) is kind
    assert traffic.strangers([only(frame)]) == []


@pytest.mark.parametrize(
    ("mode", "frame", "said"),
    [
        # A pod's packet with nothing around it in an overlay, and what is around it in another mode.
        ("flannel-vxlan", ethernet(NODES) / ip(PODS) / TCP(), "10.200.1.2 > 10.200.2.3 TCP"),
        ("flannel-vxlan", ethernet(NODES) / ip((PODS[0], NODES[1])) / TCP(), "10.200.1.2 > 172.31.7.103"),
        ("flannel-vxlan", ethernet(NODES) / arp("172.31.7.102", "10.200.2.3"), "> 10.200.2.3 ARP"),
        ("flannel-vxlan", ethernet(NODES) / vxlan(NODES, ping(PODS, 100), 4789), "to 4789"),
        ("flannel-vxlan", ethernet(NODES) / vxlan(NODES, ping(NODES, 100)), "around 172.31.7.102"),
        ("flannel-vxlan", ethernet(NODES) / vxlan((NODES[0], LAN_HOST), ping(PODS, 100)), "172.31.0.100"),
        ("flannel-vxlan", BETWEEN_NODES / ping(PODS, 100), "ipip around"),
        ("flannel-vxlan", BETWEEN_NODES / UDP(dport=8472) / Raw(b"?"), "UDP 53 to 8472"),
        ("flannel-vxlan", ethernet(NODES) / vxlan(NODES, arp("10.200.1.2", "10.200.2.3")), "ARP"),
        (
            "flannel-vxlan",
            ethernet(NODES) / vxlan(NODES, arp("172.31.7.102", "172.31.7.103")),
            "hosts-arp-wrapped",
        ),
        ("hybridnet", ethernet(NODES) / vxlan(NODES, arp("172.31.7.102", "172.31.0.100")), "172.31.0.100"),
        ("flannel-udp", ethernet(NODES) / vxlan(NODES, ping(PODS, 100)), "vxlan around"),
        ("routed", ethernet(NODES) / vxlan(NODES, ping(PODS, 100)), "vxlan around"),
        ("routed", ethernet(NODES) / arp("172.31.7.102", "10.200.2.3"), "pods-arp"),
        # Tunnels that no mode has.
        ("routed", BETWEEN_NODES / GRE() / ping(PODS, 100), "GRE"),
        ("routed", BETWEEN_NODES / IP(proto=50) / Raw(bytes(40)), "ESP"),
        ("routed", BETWEEN_NODES / UDP(sport=51820, dport=51820) / Raw(bytes(40)), "51820"),
        ("routed", BETWEEN_NODES / UDP(sport=40000, dport=6081) / Raw(bytes(40)), "6081"),
        # What a node sends only when something is wrong.
        ("routed", ethernet(NODES) / ip((PODS[0], SERVICE)) / TCP(), "services"),
        ("routed", BETWEEN_NODES / TCP(sport=40000, dport=179), "bgp"),
        ("routed", ethernet(NODES) / Dot1Q(vlan=4) / ping(PODS, 100), "Dot1Q"),
        ("routed", ethernet(NODES) / IPv6() / TCP(), "IPv6"),
        (
            "routed",
            ethernet(NODES) / IP(src="172.31.7.102", dst="172.31.7.103", proto=17, frag=100) / Raw(bytes(40)),
            "UDP in fragments",
        ),
        ("hybridnet", ethernet(NODES) / ip(PODS) / TCP(), "10.200.1.2"),
        ("hybridnet", ethernet(NODES) / arp("172.31.7.102", "10.200.2.3"), "ARP"),
        ("hybridnet", ethernet(NODES) / vxlan(NODES, ip((NODES[0], UNDERLAY_POD)) / TCP()), "172.31.6.90"),
    ],
)
def test_anything_else_is_told_in_words(inventory: Inventory, mode: str, frame: Layer, said: str) -> None:
    (told,) = Traffic.of(inventory, load_expectations(mode, {})).strangers([only(frame)])
    assert said in told


def test_without_a_shim_pods_may_ask_for_services_on_the_wire(inventory: Inventory) -> None:
    frame = only(ethernet(NODES) / ip((UNDERLAY_POD, SERVICE)) / TCP())
    for options, strangers in (({"host_shim": True}, 1), ({"host_shim": False}, 0)):
        traffic = Traffic.of(inventory, load_expectations("macvlan", options))
        assert len(traffic.strangers([frame])) == strangers


def test_the_command_asks_for_the_exact_size_and_one_byte_more() -> None:
    script = wire_command("eth1", "nsenter -t $pod_0 -n", {"k8s-node2": PODS[1].address}, 1450).script
    assert "-s 1422 10.200.2.3" in script
    assert "-s 1423 10.200.2.3" in script


@dataclass(frozen=True)
class NamespaceShell:
    """This machine, each batch in a network of its own with a loopback device, and what `prelude` adds."""

    prelude: str = ""
    name: str = "a namespace"

    def bash(self, script: str, timeout: float = 60) -> str:
        return subprocess.run(
            ["unshare", "--net", "bash", "-s"],
            input=f"ip link set lo up\n{self.prelude}\n{script}",
            capture_output=True,
            text=True,
            timeout=timeout,
            check=True,
        ).stdout


def test_everything_that_passes_is_captured_and_every_target_is_told() -> None:
    targets = {"here": IPv4Address("127.0.0.1"), "nowhere": IPv4Address("0.0.0.1")}
    # The words that enter a pod's network come before each ping: here they also send something else.
    enter = """\
more() { (: </dev/tcp/127.0.0.1/9) 2>/dev/null; ping -6 -c 1 ::1 >/dev/null; "$@"; }
more"""
    output = run_batch(NamespaceShell(), [wire_command("lo", enter, targets, 1500)])["wire"]
    sight = read_sight(output)
    assert isinstance(sight, WireSight), sight
    said = {crossing.target_node: (crossing.fits, crossing.one_more_fits) for crossing in sight.crossings}
    assert said == {"here": (True, True), "nowhere": (False, False)}
    seen = {frame.content.words.split()[0] for frame in sight.frames if isinstance(frame.content, Packet)}
    assert {"ICMP", "TCP"} <= seen
    assert {1500, 1501} <= {f.content.length for f in sight.frames if isinstance(f.content, Packet)}
    assert any(isinstance(frame.content, Icmp6) for frame in sight.frames)


TWO_DEVICES = """\
setpriv --pdeathsig KILL unshare --net sleep 60 & other=$!
disown
until [ "$(readlink /proc/$other/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
ip link add here type veth peer name there netns $other
ip address add 10.9.0.1/24 dev here
nsenter --target $other --net ip address add 10.9.0.2/24 dev there
ip link set here up; nsenter --target $other --net ip link set there up"""


def test_frames_between_two_devices_of_the_node_are_not_on_the_wire() -> None:
    command = wire_command("here", "", {"pod": IPv4Address("10.9.0.2")}, 1500)
    output = run_batch(NamespaceShell(TWO_DEVICES), [command])["wire"]
    sight = read_sight(output)
    assert isinstance(sight, WireSight), sight
    assert [crossing.fits for crossing in sight.crossings] == [True]
    assert not [frame for frame in sight.frames if isinstance(frame.content, Packet)]
    seen_by_others = "\n".join(line for line in output.stdout.splitlines() if "own-mac" not in line)
    sight = read_sight(replace(output, stdout=seen_by_others))
    assert isinstance(sight, WireSight)
    assert [frame for frame in sight.frames if isinstance(frame.content, Packet)]


def told(frames: bytes, counts: str, status: int = 0) -> WireSight | Problem:
    text = base64.b64encode(frames).decode()
    stdout = f"fits n2 0\none-more n2 1\nfits n3 1\none-more n3 0\nstatus tcpdump {status}\ncapture {text}\n"
    return read_sight(Output(0, stdout, counts))


COUNTS = """\
tcpdump: listening on eth1, link-type EN10MB (Ethernet), snapshot length 192 bytes
1 packet captured
3 packets received by filter
0 packets dropped by kernel
"""
ONE_FRAME = capture(ethernet(NODES) / ping(PODS, 1500))


def test_what_a_node_says_is_read() -> None:
    sight = told(ONE_FRAME, COUNTS)
    assert isinstance(sight, WireSight)
    assert [(c.target_node, c.fits, c.one_more_fits) for c in sight.crossings] == [
        ("n2", True, False),
        ("n3", False, True),
    ]
    assert len(sight.frames) == 1


@pytest.mark.parametrize(
    ("frames", "counts", "status", "why"),
    [
        (
            ONE_FRAME,
            COUNTS.replace("0 packets dropped", "7 packets dropped"),
            0,
            "7 frames were dropped by kernel",
        ),
        (ONE_FRAME, f"{COUNTS}2 packets dropped by interface\n", 0, "2 frames were dropped by interface"),
        (ONE_FRAME, COUNTS.replace("1 packet ", "2 packets "), 0, "tcpdump saw 2 frames, its file has 1"),
        (ONE_FRAME, COUNTS.replace("1 packet ", f"{MOST_FRAMES} packets "), 0, "more than 10000 frames"),
        (ONE_FRAME, COUNTS, 124, "tcpdump ended with status 124"),
        (
            ONE_FRAME,
            "tcpdump: listening on eth1",
            0,
            "tcpdump ended with status 0 and said: tcpdump: listening",
        ),
        (b"", "tcpdump: eth1: No such device exists", 1, "No such device exists"),
        (ONE_FRAME[:24], COUNTS, 0, "tcpdump saw 1 frames, its file has 0"),
    ],
)
def test_a_capture_with_gaps_is_not_judged(frames: bytes, counts: str, status: int, why: str) -> None:
    problem = told(frames, counts, status)
    assert isinstance(problem, Problem)
    assert why in problem.text


def watched(evidence: Evidence, node: str, sight: WireSight | Problem | None) -> str | None:
    """What the check says of a node that saw this; None when it passes."""
    wire = {(node, ""): sight} if sight is not None else {}
    try:
        checks.test_frames(evidence.inventory.node(node), replace(evidence, wire=wire))
    except pytest.fail.Exception as failure:
        return str(failure)
    return None


def sight_of(evidence: Evidence, node: str, others: Sequence[str], *more: Layer) -> WireSight:
    """Right pings in macvlan between the pod of a node and those of others, and more frames."""
    pods = {name: pod_on(evidence, name) for name in (node, *others)}
    frames = [
        ethernet(ends) / ping(ends, 1500)
        for other in others
        for ends in ((pods[node], pods[other]), (pods[other], pods[node]))
    ]
    return WireSight(tuple(Crossing(other, True, False) for other in others), read(*frames, *more))


def pod_on(evidence: Evidence, node: str) -> Host:
    address = evidence.addresses[Endpoint(EndpointKind.POD, node)].ip
    return Host(address, f"02:00:00:00:00:{int(address) & 0xFF:02x}")


@pytest.fixture
def with_macs(healthy: Evidence) -> Evidence:
    """With the MAC address of each pod's eth0."""
    facts = {}
    for name, node in healthy.facts.items():
        assert isinstance(node, NodeFacts)
        mac = pod_on(healthy, name).mac
        links = {
            pod: (Link("eth0", 2, "macvlan", 1500, True, None, None, (), mac=mac),) for pod in node.pod_links
        }
        facts[name] = replace(node, pod_links=links)
    return replace(healthy, facts=facts)


def test_a_node_is_right_when_all_its_pings_are_and_nothing_else_passed(with_macs: Evidence) -> None:
    others = ("k8s-master1", "k8s-node2")
    assert watched(with_macs, "k8s-node1", sight_of(with_macs, "k8s-node1", others)) is None
    stray = BETWEEN_NODES / GRE() / ping(PODS, 100)
    said = watched(with_macs, "k8s-node1", sight_of(with_macs, "k8s-node1", others, stray))
    assert said is not None
    assert "not allowed on the wire: 172.31.7.102 > 172.31.7.103 GRE" in said


def test_what_was_not_sent_or_not_seen_is_never_right(with_macs: Evidence) -> None:
    for sight, why in (
        (None, "its pod did not run"),
        (Problem("the capture is not complete: 3 frames were dropped by kernel"), "3 frames were dropped"),
        (WireSight((), ()), "nothing was sent from k8s-node1 to the pods of k8s-master1, k8s-node2"),
        (
            sight_of(with_macs, "k8s-node1", ["k8s-node2"]),
            "nothing was sent from k8s-node1 to the pods of k8s-master1",
        ),
        (replace(sight_of(with_macs, "k8s-node1", ["k8s-master1", "k8s-node2"]), frames=()), "no ping to"),
    ):
        said = watched(with_macs, "k8s-node1", sight)
        assert said is not None
        assert why in said
