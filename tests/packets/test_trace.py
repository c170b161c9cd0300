"""A real packet through an overlay in namespaces: its chain, what is missing in it, and why it gets lost."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

import pytest

from lab.packets.capture import Seen
from lab.packets.facts import FACTS_SCRIPT, NamespaceFacts
from lab.packets.observed import Observed
from lab.packets.protocols import Protocol
from lab.packets.reasons import Code
from lab.packets.sightings import Way
from lab.packets.spots import HOST_SIDE
from lab.packets.trace import End, Request, Trace, Verdict
from lab.packets.trace_text import trace_text
from lab.packets.tracer import Scenario, Traced, send_and_trace
from lab.packets.way import Action, Chain, Map, Place, chain_of
from tests.packets.small_network import SmallNetwork, node_address, pod_address, small_network

WAY = (
    ("pod-a", "eth0", Action.SENT),
    ("node-a", "vetha", Action.RECEIVED),
    ("node-a", "cni0", Action.BRIDGED),
    ("node-a", "flannel.1", Action.FORWARDED),
    ("node-a", "eth1", Action.WRAPPED),
    (HOST_SIDE, "tapa", Action.RECEIVED),
    (HOST_SIDE, "tapb", Action.BRIDGED),
    ("node-b", "eth1", Action.RECEIVED),
    ("node-b", "flannel.1", Action.UNWRAPPED),
    ("node-b", "cni0", Action.FORWARDED),
    ("node-b", "vethb", Action.BRIDGED),
    ("pod-b", "eth0", Action.DELIVERED),
)
"""From pod to pod of another node."""


def request_for(target: str, address: str, protocol: Protocol, port: int, size: int) -> Request:
    sender = End("pod", "pod-a", IPv4Address(pod_address(1)))
    end = End("pod", target, IPv4Address(address), port)
    return Request(sender, end, protocol, size, secrets.token_hex(16))


@dataclass(frozen=True)
class Sent:
    request: Request
    traced: Traced

    @property
    def trace(self) -> Trace:
        traced = self.traced
        return Trace("lab", "vxlan", "", self.request, traced.verdict, traced.ways, traced.warnings)

    @property
    def codes(self) -> list[Code]:
        """Of why it was lost, the surest first."""
        lost = self.traced.ways[-1].lost
        assert lost is not None
        return [reason.code for reason in lost.reasons]


def send(
    network: SmallNetwork,
    target: str = "pod-b",
    address: str = pod_address(2),
    *,
    protocol: Protocol = Protocol.ICMP,
    port: int = 0,
    size: int = 84,
) -> Sent:
    request = request_for(target, address, protocol, port, size)
    scenario = Scenario(request, network.spots, network.spot("pod-a"), [network.spot(target)])
    return Sent(request, send_and_trace(scenario))


def steps(chain: Chain) -> tuple[tuple[str, str, Action], ...]:
    return tuple((hop.sighting.place, hop.sighting.device, hop.action) for hop in chain.hops)


def reversed_way() -> tuple[tuple[str, str], ...]:
    return tuple((place, device) for place, device, _ in reversed(WAY))


@pytest.mark.parametrize(
    ("protocol", "port", "verdict"),
    [
        (Protocol.ICMP, 0, Verdict.DELIVERED),
        (Protocol.TCP, 80, Verdict.REFUSED),
        (Protocol.UDP, 80, Verdict.REFUSED),
    ],
)
def test_every_device_on_the_way_is_a_hop(
    network: SmallNetwork, protocol: Protocol, port: int, verdict: Verdict
) -> None:
    sent = send(network, protocol=protocol, port=port)
    assert sent.traced.verdict is verdict
    assert steps(sent.traced.ways[0].chain) == WAY
    assert sent.traced.warnings == ()
    if protocol is not Protocol.UDP:
        reply = sent.traced.ways[1].chain
        assert tuple((hop.sighting.place, hop.sighting.device) for hop in reply.hops) == reversed_way()
        assert reply.delivered
    numbers = [hop.sighting.frame for way in sent.traced.ways for hop in way.chain.hops]
    assert len(set(numbers)) == len(numbers)
    assert set(sent.traced.comments) == set(numbers)
    said = sent.traced.ways[0].said[4]
    assert "via 10.244.2.0 dev flannel.1" in said.route


def test_headers_and_their_changes_are_told(network: SmallNetwork) -> None:
    sent = send(network)
    text = trace_text(sent.trace)
    assert f"pod-a ({pod_address(1)}) to pod-b ({pod_address(2)}), icmp, 84 bytes" in text
    assert "wrapped    10.9.0.1 > 10.9.0.2 | UDP" in text
    assert "| VXLAN 1 [" in text
    assert all(len(line) <= 100 for line in text.splitlines())
    document = json.loads(json.dumps(sent.trace.as_json()))
    assert document["schema"] == "lab.trace/1"
    assert document["verdict"] == "delivered"
    hop = document["ways"][0]["hops"][4]
    assert [header["layer"] for header in hop["headers"]] == [
        "ipv4",
        "udp",
        "vxlan",
        "ethernet",
        "ipv4",
        "icmp",
    ]
    assert hop["seen"]["matched_by"] == "token"
    assert [hop["n"] for hop in document["ways"][1]["hops"]] == list(range(1, 13))


@pytest.fixture(scope="module")
def recorded() -> Iterator[tuple[Sent, Map]]:
    """A packet that was delivered, to be looked at with frames left out."""
    with small_network() as network:
        sent = send(network)
        places = []
        for name in network.pids:
            text = network.run(name, f"enter=()\n{FACTS_SCRIPT}")
            places.append(Place(name, network.spot(name).machine.name, NamespaceFacts.of(text)))
        yield sent, Map(places)


def chain_from(frames: Sequence[Seen], sent: Sent, network: Map) -> Chain:
    request = sent.request
    asked = request.target.address, request.target.port
    token = bytes.fromhex(request.token)
    observed = Observed.of(frames, request.protocol, token, asked, "pod-a")
    return chain_of(observed.of_way(Way.REQUEST), network, "pod-a", ["pod-b"])


def test_the_recorded_frames_give_the_same_chain(recorded: tuple[Sent, Map]) -> None:
    sent, network = recorded
    assert steps(chain_from(sent.traced.frames, sent, network)) == WAY


@pytest.mark.parametrize("missing", range(len(WAY)), ids=[f"{place}-{device}" for place, device, _ in WAY])
def test_a_device_whose_frames_are_missing_is_a_gap(recorded: tuple[Sent, Map], missing: int) -> None:
    sent, network = recorded
    place, device, _ = WAY[missing]
    left = [seen for seen in sent.traced.frames if (seen.spot.name, seen.device) != (place, device)]
    chain = chain_from(left, sent, network)
    if missing == len(WAY) - 1:
        assert not chain.delivered, "without the target's own frame"
        assert steps(chain) == WAY[:-1]
    else:
        assert len(chain.gaps) == 1
        gap = chain.gaps[0].sighting
        assert (gap.place, gap.device) == WAY[missing + 1][:2]


def test_a_clock_that_is_an_hour_off_changes_nothing(recorded: tuple[Sent, Map]) -> None:
    sent, network = recorded
    hour = 3600 * 10**9
    shifted = [
        replace(seen, frame=replace(seen.frame, time=seen.frame.time - hour))
        if seen.spot.machine.name == "node-b"
        else seen
        for seen in sent.traced.frames
    ]
    shifted.sort(key=lambda seen: seen.frame.time)
    assert steps(chain_from(shifted, sent, network)) == WAY


def test_frames_of_another_packet_change_nothing(network: SmallNetwork) -> None:
    network.run("pod-a", f"ping -c 2 -i 0.2 -W 5 -p {secrets.token_hex(16)} {pod_address(2)}")
    assert steps(send(network).traced.ways[0].chain) == WAY


def test_a_node_and_the_host_side_are_targets_too(network: SmallNetwork) -> None:
    sent = send(network, "node-a", node_address(1))
    assert steps(sent.traced.ways[0].chain) == (*WAY[:2], ("node-a", "cni0", Action.DELIVERED))
    assert sent.traced.verdict is Verdict.DELIVERED


def test_no_way_back_is_told_with_the_reason(network: SmallNetwork) -> None:
    sent = send(network, HOST_SIDE, "10.9.0.254")
    assert sent.traced.verdict is Verdict.NO_REPLY
    request, reply = sent.traced.ways
    assert request.chain.delivered
    assert reply.lost is not None
    assert reply.lost.place == HOST_SIDE
    assert sent.codes == [Code.NO_ROUTE]


@pytest.mark.parametrize(
    ("place", "script", "hops", "code"),
    [
        ("node-b", "sysctl -qw net.ipv4.ip_forward=0", 9, Code.FORWARDING_OFF),
        ("node-a", "ip route delete 10.244.2.0/24", 3, Code.NO_ROUTE),
        ("node-b", "iptables -A FORWARD -d 10.244.2.0/24 -j DROP", 9, Code.FIREWALL),
        ("node-b", "iptables -P FORWARD DROP", 9, Code.FIREWALL),
        ("node-b", "iptables -A INPUT -p udp --dport 8472 -j DROP", 8, Code.FIREWALL),
        ("pod-b", "ip link set eth0 down", 9, Code.NO_NEIGHBOUR),
    ],
)
def test_a_lost_packet_is_told_with_place_and_reason(
    network: SmallNetwork, place: str, script: str, hops: int, code: Code
) -> None:
    network.run(place, script)
    sent = send(network)
    assert sent.traced.verdict is Verdict.LOST
    (way,) = sent.traced.ways
    assert [step[:2] for step in steps(way.chain)] == [step[:2] for step in WAY[:hops]]
    assert not way.chain.gaps
    assert sent.codes[0] is code, trace_text(sent.trace)


def test_what_is_dropped_in_its_tunnel_was_on_its_way_to_the_tunnels_device(network: SmallNetwork) -> None:
    network.run("node-b", "iptables -A INPUT -p udp --dport 8472 -j DROP")
    lost = send(network).traced.ways[0].lost
    assert lost is not None
    assert (lost.after_hop, lost.place, lost.device) == (8, "node-b", "flannel.1")


def test_a_packet_that_the_sender_cannot_send(network: SmallNetwork) -> None:
    sent = send(network, size=1500)
    assert sent.traced.verdict is Verdict.LOST
    assert sent.codes == [Code.MTU]
    assert "seen nowhere" in trace_text(sent.trace)


def test_too_large_for_the_tunnel_only(network: SmallNetwork) -> None:
    network.run("pod-a", "ip link set eth0 mtu 1500")
    sent = send(network, size=1500)
    assert [step[:2] for step in steps(sent.traced.ways[0].chain)] == [step[:2] for step in WAY[:3]]
    assert sent.codes[0] is Code.MTU


def test_a_service_address_is_seen_to_be_rewritten(network: SmallNetwork) -> None:
    rule = f"iptables -t nat -A PREROUTING -d 10.96.0.9 -p tcp --dport 80 -j DNAT --to {pod_address(2)}:8080"
    network.run("node-a", rule)
    sent = send(network, address="10.96.0.9", protocol=Protocol.TCP, port=80)
    assert steps(sent.traced.ways[0].chain) == WAY
    text = trace_text(sent.trace)
    assert f"ipv4.target: 10.96.0.9 became {pod_address(2)}" in text
    assert "port.target: 80 became 8080" in text
    assert "says: nat -A PREROUTING" in text
    assert f"ipv4.source: {pod_address(2)} became 10.96.0.9" in text, "the reply"
