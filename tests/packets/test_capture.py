"""Captures in real namespaces: frames, answers, refusals; nothing is left when whoever began them is gone."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.packets.capture import Captures
from lab.packets.headers import Icmp, headers_of
from lab.packets.lines import line_of
from lab.packets.spots import ANY_DEVICE, HOST_SIDE, Spot, require_distinct
from tests.packets.small_network import SmallNetwork, pod_address


def programs(network: SmallNetwork) -> str:
    """The programs in the namespaces besides those that hold them."""
    inodes = {Path(f"/proc/{pid}/ns/net").readlink() for pid in network.pids.values()}
    holders = set(network.pids.values())
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "ns" / "net").readlink() in inodes and int(folder.name) not in holders:
                found.append((folder / "comm").read_text().strip())
        except OSError:
            continue
    return " ".join(sorted(found))


def wait_until_quiet(network: SmallNetwork) -> None:
    def quiet() -> None:
        if left := programs(network):
            raise NotYetError(left)

    wait_for(quiet, what="no program is left", deadline=Deadline(20), interval=0.05)


def test_every_frame_of_all_devices_comes_with_its_place(network: SmallNetwork) -> None:
    spots = [network.spot("node-a"), Spot("lan", network.spot(HOST_SIDE).machine, "br0")]
    with Captures(spots) as captures:
        network.run("pod-a", f"ping -c 1 -W 5 {pod_address(2)}")
        captures.stop()
        seen = list(captures.frames())
        ended = captures.ended()
    assert {each.interface for each in seen} >= {
        "node-a/vetha",
        "node-a/cni0",
        "node-a/flannel.1",
        "node-a/eth1",
    }
    assert "lan/br0" in {each.interface for each in seen}
    requests = [
        each
        for each in seen
        if isinstance(last := headers_of(each.link_type, each.frame)[-1], Icmp) and last.type == 8
    ]
    assert len([each for each in requests if each.interface == "node-a/flannel.1"]) == 1
    assert sum(each.captured for each in ended) == len(seen)
    assert all(each.dropped == 0 for each in ended)
    assert "ICMP echo-request, 84 bytes" in line_of(next(each for each in requests if each.device == "vetha"))
    wait_until_quiet(network)


def test_a_filter_leaves_the_rest_out(network: SmallNetwork) -> None:
    with Captures([network.spot("node-a")], "icmp and net 10.244.0.0/16") as captures:
        network.run("pod-a", f"ping -c 1 -W 5 {pod_address(2)}; ping -c 1 -W 5 127.0.0.1")
        captures.stop()
        seen = list(captures.frames())
    assert {each.device for each in seen} == {"vetha", "cni0", "flannel.1"}


def test_what_is_asked_is_run_there(network: SmallNetwork) -> None:
    spot = network.spot("pod-a")
    with Captures([spot]) as captures:
        answer = captures.ask(spot, '"${enter[@]}" ip -4 -o address show dev eth0; echo "a  b"; exit 3', 20)
        assert answer.status == 3
        assert pod_address(1) in answer.text
        assert answer.text.endswith("a  b")
        assert captures.ask(spot, "true", 20).text == ""
        with pytest.raises(LabError, match="timed out"):
            captures.ask(spot, "sleep 5", 0.2)


@pytest.mark.parametrize(
    ("device", "packet_filter", "said"),
    [
        (ANY_DEVICE, "icmpp", "the filter is wrong: icmpp"),
        ("eth9", "", "pod-a has no device eth9"),
    ],
)
def test_a_wrong_filter_or_device_is_refused(
    network: SmallNetwork, device: str, packet_filter: str, said: str
) -> None:
    spot = Spot("pod-a", network.spot("pod-a").machine, device)
    with pytest.raises(WrongUseError, match=said), Captures([spot], packet_filter):
        pass
    wait_until_quiet(network)


def test_a_machine_that_cannot_be_entered_is_told(network: SmallNetwork) -> None:
    class Gone:
        name = "gone"

        def command(self, script: str) -> list[str]:
            return ["bash", "-c", "echo 'No route to host' >&2; exit 255"]

    spots = [network.spot("pod-a"), Spot("gone", Gone())]
    with pytest.raises(LabError, match="the capture on gone did not begin") as refused, Captures(spots):
        pass
    assert "No route to host" in str(refused.value)
    wait_until_quiet(network)


BEGIN = """
import sys, time
from lab.packets.capture import Captures
from lab.packets.spots import Spot
from tests.packets.small_network import NamespaceMachine
with Captures([Spot("pod-a", NamespaceMachine("node-a", {pid}))]) as captures:
    print("listening", flush=True)
    time.sleep(60)
"""


def test_nothing_is_left_when_the_process_is_killed(network: SmallNetwork) -> None:
    script = BEGIN.format(pid=network.pids["pod-a"])
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "listening\n"
        assert "tcpdump" in programs(network)
        child.kill()
    wait_until_quiet(network)


def test_a_pod_without_a_process_is_told(network: SmallNetwork) -> None:
    spot = Spot("default/web", network.spot("pod-a").machine, pod_uid="00000000-1111-2222-3333-444444444444")
    with pytest.raises(LabError) as refused, Captures([spot]):
        pass
    assert "no process of the pod runs on its node" in str(refused.value)


def test_a_place_is_named_once() -> None:
    class Machine:
        name = "a"

        def command(self, script: str) -> list[str]:
            return []

    with pytest.raises(WrongUseError, match="a:eth1 is named twice"):
        require_distinct([Spot("a", Machine(), "eth1"), Spot("a", Machine(), "eth1")])


def test_capturing_ends_at_once_when_nothing_passes(network: SmallNetwork) -> None:
    started = time.monotonic()
    with Captures([network.spot("pod-a")], "tcp port 1") as captures:
        captures.stop()
        assert list(captures.frames()) == []
        assert captures.ended()[0].captured == 0
    assert time.monotonic() - started < 60
