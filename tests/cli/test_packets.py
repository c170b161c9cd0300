"""`lab capture` and `lab trace` on the command line; the lab is stood in for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import Ether
from scapy.utils import PcapNgReader

from lab.cli import packets
from lab.cli.main import cli
from lab.foundation.errors import LabError
from lab.operations.context import Lab
from lab.operations.packets import tracing
from lab.operations.packets.tracing import LabTrace
from lab.packets.capture import Ended, Seen
from lab.packets.capture_format import CapturedFrame, LinkType
from lab.packets.protocols import Protocol
from lab.packets.sightings import Way
from lab.packets.spots import Spot
from lab.packets.trace import End, Request, Trace, TracedWay, Verdict
from lab.packets.tracer import Traced
from lab.packets.way import Chain


@dataclass(frozen=True)
class Nowhere:
    name: str = "k8s-node1"

    def command(self, script: str) -> list[str]:
        return ["false"]


SPOT = Spot("k8s-node1", Nowhere(), "eth1")
FRAME = bytes(
    Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src="10.0.0.1", dst="10.0.0.2") / ICMP()
)
SEEN = Seen(SPOT, "eth1", LinkType.ETHERNET, CapturedFrame(10**18, FRAME, len(FRAME)), 0)


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the operation was asked for; it captures one frame."""
    calls: list[dict[str, Any]] = []

    def capture(
        _: object, where: tuple[str, ...], take: Callable[[Seen], None], **more: Any
    ) -> tuple[Ended, ...]:
        calls.append({"where": where, **more})
        take(SEEN)
        return (Ended(SPOT, 1, 2),)

    monkeypatch.setattr(packets, "the_lab", lambda name: name)
    monkeypatch.setattr(Lab, "open", lambda folder, progress: SimpleNamespace())
    monkeypatch.setattr(packets, "capture_packets", capture)
    return calls


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, words)


def test_a_capture_goes_into_a_file(called: list[dict[str, Any]], tmp_path: Path) -> None:
    file = tmp_path / "out.pcapng"
    done = run("capture", "k8s-node1:eth1", "lan", "--filter", "icmp", "--seconds", "2", "--write", str(file))
    assert done.exit_code == 0, done.output
    assert called == [{"where": ("k8s-node1:eth1", "lan"), "packet_filter": "icmp", "seconds": 2.0}]
    with PcapNgReader(str(file)) as reader:
        assert next(reader).sniffed_on == "k8s-node1/eth1"
    assert "k8s-node1:eth1: 1 packets captured, 2 not (no room for them)" in done.output


def test_a_capture_belongs_to_the_user_who_called_sudo(
    called: list[dict[str, Any]], tmp_path: Path, given_to_caller: list[Path]
) -> None:
    file = tmp_path / "out.pcapng"
    assert run("capture", "lan", "--write", str(file)).exit_code == 0
    assert given_to_caller == [file]
    assert run("capture", "lan", "--write", "/dev/null").exit_code == 0
    assert given_to_caller == [file]


def test_elsewhere_than_on_a_terminal_it_goes_to_stdout(called: list[dict[str, Any]]) -> None:
    done = run("capture", "lan")
    assert done.stdout_bytes.startswith(bytes.fromhex("0a0d0d0a")), "a pcapng file"
    assert FRAME in done.stdout_bytes
    assert called[0]["seconds"] is None


def test_a_file_that_cannot_be_written_is_told(called: list[dict[str, Any]]) -> None:
    done = run("capture", "lan", "--write", "/no/such/folder/out.pcapng")
    assert isinstance(done.exception, LabError)
    assert "cannot write /no/such/folder/out.pcapng" in str(done.exception)
    assert called == []


@pytest.mark.parametrize("seconds", ["0", "-1", "x"])
def test_a_time_that_cannot_be_is_refused(called: list[dict[str, Any]], seconds: str) -> None:
    assert run("capture", "lan", "--seconds", seconds).exit_code == 2
    assert called == []


def test_a_trace_is_printed_drawn_and_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sender = End("pod", "default/a", IPv4Address("10.0.0.1"))
    request = Request(sender, End("address", "10.0.0.2", IPv4Address("10.0.0.2")), Protocol.ICMP, 84, "00")
    ways = (TracedWay(Way.REQUEST, Chain((), delivered=False)),)
    trace = Trace("a", "macvlan", "now", request, Verdict.LOST, ways, ())
    asked: list[tuple[object, ...]] = []

    def traced(_: object, *words: object) -> LabTrace:
        asked.append(words)
        return LabTrace(trace, Traced(Verdict.LOST, ways, (), (SEEN,)))

    monkeypatch.setattr(packets, "the_lab", lambda name: name)
    monkeypatch.setattr(Lab, "open", lambda folder, progress: SimpleNamespace())
    monkeypatch.setattr(tracing, "trace", traced)
    svg, pcap = tmp_path / "way.svg", tmp_path / "way.pcapng"
    done = run("trace", "default/a", "10.0.0.2", "--svg", str(svg), "--pcap", str(pcap), "--size", "100")
    assert done.exit_code == 0, done.output
    assert "default/a (10.0.0.1) to 10.0.0.2, icmp, 84 bytes" in done.output
    assert "mode macvlan: lost" in done.output
    assert svg.read_text().startswith("<svg")
    assert FRAME in pcap.read_bytes()
    assert (
        json.loads(run("trace", "default/a", "10.0.0.2", "--protocol", "udp", "--json").stdout)["verdict"]
        == "lost"
    )
    assert asked == [("default/a", "10.0.0.2", None, 100), ("default/a", "10.0.0.2", Protocol.UDP, None)]


def test_an_unknown_protocol_is_refused() -> None:
    assert run("trace", "default/a", "lan-host", "--protocol", "sctp").exit_code == 2
