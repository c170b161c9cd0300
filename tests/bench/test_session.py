"""Real round trips in a small network of namespaces with an overlay by VXLAN."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from lab.bench.counter import Instructions
from lab.bench.result import BASE
from lab.bench.session import Effort, Gauges, Pair, Session
from lab.bench.talker import NoEchoError, asking, echoing
from lab.bench.wire import READ, read_passed
from lab.bench.words import rows_of
from lab.foundation.errors import LabError
from lab.packets.protocols import Protocol
from tests.bench.results import mode
from tests.packets.small_network import SmallNetwork, node_address, pod_address, small_network


@pytest.fixture(scope="module")
def network() -> Iterator[SmallNetwork]:
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    with small_network() as made:
        yield made


def pairs(network: SmallNetwork) -> list[Pair]:
    node, other, pod, far = (network.spot(name) for name in ("node-a", "node-b", "pod-a", "pod-b"))
    return [
        Pair(BASE, node, other, IPv4Address(node_address(2)), BASE),
        Pair("pod-to-pod", pod, far, IPv4Address(pod_address(2)), BASE),
        Pair("pod-to-nobody", pod, far, IPv4Address("10.244.2.77"), BASE),
    ]


def test_an_overlay_is_measured_beside_its_nodes(network: SmallNetwork) -> None:
    command = network.spot("node-b").machine.command(" ".join(READ))
    gauges = Gauges(None, lambda: read_passed(command, {"eth1"}))
    blocks: list[tuple[int, int]] = []
    with Session(pairs(network), gauges, Effort(blocks=3, rounds=300, message_bytes=64)) as session:
        silent = session.unreachable()
        assert set(silent) == {("pod-to-nobody", Protocol.UDP), ("pod-to-nobody", Protocol.TCP)}
        series = session.measure(silent, lambda done, all_of_them: blocks.append((done, all_of_them)))
        mtu = session.mtu(silent)
    assert blocks == [(1, 3), (2, 3), (3, 3)]
    assert mtu == {BASE: 1500, "pod-to-pod": 1450}
    by_udp, by_tcp, *_ = measured = mode("vxlan", *series).series
    assert [each.protocol for each in measured[:2]] == ["udp", "tcp"]
    assert by_udp.wire_frames == pytest.approx(2.0, abs=0.1)
    assert by_udp.header_bytes == pytest.approx(50.0, abs=1.0)
    assert len(by_tcp.samples) == 3
    assert all(sample.long.seconds > 0 and sample.long.p99 >= sample.long.p50 for sample in by_tcp.samples)
    assert not by_tcp.has_instructions
    assert [row.cost for row in rows_of(mode("vxlan", *series))][2:] == ["no echo", "no echo"]


def test_instructions_are_counted_at_the_ends_of_the_base(network: SmallNetwork) -> None:
    asked: list[frozenset[str]] = []

    def counts(names: Collection[str]) -> Instructions:
        asked.append(frozenset(names))
        return Instructions(len(asked), 0)

    nodes, pods, _ = pairs(network)
    both = [replace(pods, base=pods.name), replace(nodes, base=pods.name)]
    gauges = Gauges(counts, lambda: read_passed(nodes.echoes.machine.command(" ".join(READ)), {"eth1"}))
    with Session(both, gauges, Effort(blocks=1, rounds=5, message_bytes=64)) as session:
        session.measure({}, lambda *_: None)
    assert set(asked) == {frozenset({"pod-a", "pod-b"})}


def test_a_base_without_an_echo_is_an_error(network: SmallNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.bench.session.FIRST_ECHO_LIMIT", 0.0)
    node, other = network.spot("node-a"), network.spot("node-b")
    silent = Pair(BASE, node, other, IPv4Address("10.9.0.77"), BASE)
    gauges = Gauges(None, lambda: read_passed(node.machine.command(" ".join(READ)), {"eth1"}))
    with (
        Session([silent], gauges, Effort(1, 10, 64)) as session,
        pytest.raises(LabError, match="node-to-node"),
    ):
        session.unreachable()


def test_a_taken_port_is_told(network: SmallNetwork) -> None:
    spot = network.spot("node-b")
    with echoing(spot), pytest.raises(LabError, match="nobody can echo on node-b") as failed, echoing(spot):
        pass
    assert "Address already in use" in str(failed.value)


def test_nothing_runs_on_afterwards(network: SmallNetwork) -> None:
    spot = network.spot("pod-b")
    with echoing(spot), asking(network.spot("pod-a")) as talker:
        assert talker.ask(Protocol.TCP, IPv4Address(pod_address(2)), 64, 5).repeated == 0
        assert "perl" in network.run("pod-b", "ss -Hltnp sport = 7999")
    assert network.run("pod-b", "ss -Hltunp sport = 7999") == ""
    with asking(network.spot("pod-a")) as talker, pytest.raises(NoEchoError):
        talker.ask(Protocol.TCP, IPv4Address(pod_address(2)), 64, 5)


def test_a_program_that_ends_is_told(network: SmallNetwork) -> None:
    with asking(network.spot("pod-a")) as talker:
        talker._process.kill()
        with pytest.raises(LabError, match="the program that measures on pod-a has ended"):
            talker.ask(Protocol.UDP, IPv4Address(pod_address(2)), 64, 5)
