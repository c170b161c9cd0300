"""Chains on paper, by devices that are not in every kernel: macvlan, TAP devices, a bridge that floods."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address

import pytest

from lab.packets.facts import Device, NamespaceFacts
from lab.packets.headers import Header, Icmp, IPv4
from lab.packets.sightings import MatchedBy, Sighting
from lab.packets.way import Action, Chain, Map, Place, chain_of

POD_A, POD_B, POD_C, NODE_A = (
    IPv4Address(each) for each in ("172.31.6.1", "172.31.6.2", "172.31.6.90", "172.31.7.102")
)
MACS = {"node-a": "52:54:00:00:00:0a", "node-b": "52:54:00:00:00:0b", "node-c": "52:54:00:00:00:0c"}


def device(name: str, index: int, kind: str = "", **more: object) -> Device:
    mac = str(more.get("mac", ""))
    master = str(more.get("master", ""))
    lower_index = int(str(more.get("lower_index", 0)))
    return Device(name, index, kind, mac, 1500, True, master, str(more.get("lower", "")), lower_index, 0)


def place(name: str, machine: str, address: IPv4Address | None, *devices: Device) -> Place:
    facts = NamespaceFacts(
        {each.name: each for each in devices},
        frozenset([address] if address is not None else []),
        {},
        {},
        {},
        {},
        forwarding=True,
        reverse_path_filters={},
    )
    return Place(name, machine, facts)


def node(name: str, address: IPv4Address | None = None) -> Place:
    shim = device("lab-shim", 5, "macvlan", lower_index=3, lower="eth1")
    return place(name, name, address, device("eth1", 3, mac=MACS[name]), shim)


def tap(name: str, index: int, of: str) -> Device:
    return device(name, index, "tun", mac=MACS[of].replace("52", "fe", 1), master="br0")


NETWORK = Map(
    [
        node("node-a", NODE_A),
        node("node-b"),
        node("node-c"),
        place("pod-a", "node-a", POD_A, device("eth0", 2, "macvlan", lower_index=3)),
        place("pod-b", "node-a", POD_B, device("eth0", 2, "macvlan", lower_index=3)),
        place("pod-c", "node-b", POD_C, device("eth0", 2, "macvlan", lower_index=3)),
        place(
            "host",
            "host",
            None,
            tap("tap-a", 1, "node-a"),
            tap("tap-b", 2, "node-b"),
            tap("tap-c", 3, "node-c"),
        ),
    ]
)


def headers(target: IPv4Address, ttl: int = 64) -> tuple[Header, ...]:
    return (
        IPv4(POD_A, target, ttl, 1, 84, dont_fragment=True, offset=0),
        Icmp(8, 0, "echo-request"),
    )


def seen(*steps: str, target: IPv4Address) -> list[Sighting]:
    """Each as `place>device` or `place<device`, in the order of their times."""
    found = []
    for number, step in enumerate(steps, start=1):
        arrow = ">" if ">" in step else "<"
        where, _, name = step.partition(arrow)
        found.append(
            Sighting(where, name, arrow == ">", headers(target), number, number, number, MatchedBy.CONTENT)
        )
    return found


def told(chain: Chain) -> list[tuple[str, Action]]:
    return [
        (f"{hop.sighting.place}{'>' if hop.sighting.out else '<'}{hop.sighting.device}", hop.action)
        for hop in chain.hops
    ]


@pytest.mark.parametrize(
    ("target", "place_of_target", "steps", "actions"),
    [
        # Between pods of one node: the NIC's taps see it, or they do not.
        (POD_B, "pod-b", ("pod-a>eth0", "pod-b<eth0"), (Action.SENT, Action.DELIVERED)),
        (
            POD_B,
            "pod-b",
            ("pod-a>eth0", "node-a<eth1", "pod-b<eth0"),
            (Action.SENT, Action.BRIDGED, Action.DELIVERED),
        ),
        # To the pod's own node, through the device that the node has for it.
        (
            NODE_A,
            "node-a",
            ("pod-a>eth0", "node-a<eth1", "node-a<lab-shim"),
            (Action.SENT, Action.BRIDGED, Action.DELIVERED),
        ),
        (
            POD_C,
            "pod-c",
            ("pod-a>eth0", "node-a>eth1", "host<tap-a", "host>tap-b", "node-b<eth1", "pod-c<eth0"),
            (
                Action.SENT,
                Action.SENT,
                Action.RECEIVED,
                Action.BRIDGED,
                Action.RECEIVED,
                Action.DELIVERED,
            ),
        ),
    ],
)
def test_macvlan(
    target: IPv4Address, place_of_target: str, steps: Sequence[str], actions: Sequence[Action]
) -> None:
    chain = chain_of(seen(*steps, target=target), NETWORK, "pod-a", [place_of_target])
    assert told(chain) == list(zip(steps, actions, strict=True))
    assert chain.delivered


def test_copies_that_a_bridge_sends_everywhere_are_left_out() -> None:
    steps = [
        "pod-a>eth0",
        "node-a>eth1",
        "host<tap-a",
        "host>tap-c",
        "host>tap-b",
        "node-c<eth1",
        "node-b<eth1",
    ]
    chain = chain_of(seen(*steps, "pod-c<eth0", target=POD_C), NETWORK, "pod-a", ["pod-c"])
    assert [step for step, _ in told(chain)] == [
        "pod-a>eth0",
        "node-a>eth1",
        "host<tap-a",
        "host>tap-b",
        "node-b<eth1",
        "pod-c<eth0",
    ]
    assert not chain.gaps


def test_another_place_than_the_targets_is_not_delivered() -> None:
    steps = ["pod-a>eth0", "pod-b<eth0"]
    chain = chain_of(seen(*steps, target=POD_C), NETWORK, "pod-a", ["pod-c"])
    assert not chain.delivered
    assert told(chain)[-1] == ("pod-b<eth0", Action.BRIDGED)


def test_a_packet_is_never_rewritten_between_two_namespaces() -> None:
    first, second = seen("pod-a>eth0", "pod-b<eth0", target=POD_B)
    changed = Sighting(second.place, second.device, False, headers(POD_B, ttl=63), 2, 2, 2, MatchedBy.CONTENT)
    chain = chain_of([first, changed], NETWORK, "pod-a", ["pod-b"])
    assert [hop.number for hop in chain.gaps] == [2]


def test_nothing_seen_is_an_empty_chain() -> None:
    assert chain_of([], NETWORK, "pod-a", ["pod-b"]) == Chain((), delivered=False)
