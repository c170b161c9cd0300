"""A traced packet as the suite's page draws it."""

from __future__ import annotations

from lab.modes.registry import mode_named
from lab.operations.packets.traced_path import drawn
from lab.operations.suite_page import DrawnPath, ModeRun, Station, render_page
from lab.operations.suite_page.results import Check, Outcome
from tests.packets.small_network import SmallNetwork
from tests.packets.test_trace import send


def test_the_request_is_drawn_from_pod_to_pod_with_the_frame_on_the_wire(network: SmallNetwork) -> None:
    path = drawn("pod", send(network).trace)
    assert path == DrawnPath(
        "pod",
        (Station("pod-a", ("eth0",)), Station("node-a", ("vetha", "cni0", "flannel.1", "eth1"))),
        "IPv4, UDP 8472, VXLAN 1, Ethernet, IPv4, ICMP",
        (Station("node-b", ("eth1", "flannel.1", "cni0", "vethb")), Station("pod-b", ("eth0",))),
    )


def test_a_lost_packet_is_drawn_as_far_as_it_came(network: SmallNetwork) -> None:
    network.run("node-b", "sysctl -qw net.ipv4.ip_forward=0")
    path = drawn("pod", send(network).trace)
    assert path.after == ()
    assert path.remark == "not delivered: lost"
    assert [station.place for station in path.before][:2] == ["pod-a", "node-a"]


def test_the_page_shows_what_was_traced_and_not_what_the_mode_says_of_itself() -> None:
    path = DrawnPath(
        "pod",
        (Station("pod-a", ("eth0",)),),
        "Ethernet, IPv4, ICMP",
        (Station("node-b", ("seen-device",)),),
        "1 gaps",
    )
    check = Check("reachability", "reach", "a", Outcome.PASSED, 0.1, "")
    run = ModeRun("flannel-vxlan", mode_named("flannel-vxlan").summary, (check,), 0, 90, paths=(path,))
    page = render_page("x", [], [run])
    assert "<span>seen-device</span>" in page
    assert "1 gaps" in page
    assert "flannel.1" not in page
