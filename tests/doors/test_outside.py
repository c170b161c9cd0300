"""The door out, with real slirp4netns, whose host is a namespace."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.doors.outside import LINK, RESOLVER, WayOut
from lab.doors.tied_door import Condition
from lab.foundation.errors import LabError
from lab.foundation.paths import LabFolder
from lab.foundation.process import run
from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.host.enclosure import Enclosure
from lab.host.process_identity import ProcessIdentity
from lab.host.tied import living
from lab.topology.plan import Plan
from tests.doors.small_world import (
    HOST,
    HOST_ON_LAN,
    HOSTS_OWN_RESOLVER,
    INTERNET,
    NAME,
    NEIGHBOUR,
    OFFICE,
    SmallWorld,
    small_world,
)

UPLINK = ("uplink",)
NOW = "2026-01-01T00:00:00+00:00"


@pytest.fixture
def enclosure(make_enclosure: Callable[[str], Enclosure]) -> Enclosure:
    if shutil.which("slirp4netns") is None:
        pytest.skip("the door out needs slirp4netns")
    enclosure = make_enclosure("a")
    enclosure.start()
    return enclosure


@pytest.fixture
def world(enclosure: Enclosure, plan: Plan, tmp_path: Path) -> Iterator[SmallWorld]:
    with small_world(enclosure, plan, tmp_path) as made:
        yield made


@pytest.fixture
def door(enclosure: Enclosure, labs: Path, world: SmallWorld) -> WayOut:
    return WayOut(enclosure, LabFolder(labs / "a"), world.host.enter)


def footprint(world: SmallWorld) -> str:
    """Of this machine, and of the namespace that plays the host."""
    seen = "ip -oneline -4 address; ip -4 route show table all; ip rule; ip -brief link | cut -d ' ' -f 1"
    seen += "; iptables-save | grep -v ^# || true; ls /run"
    return run(["bash", "-c", seen]).stdout + world.host.run(seen)


def inside(enclosure: Enclosure) -> str:
    """What the door changes in the lab's network; iptables leaves its own chains, empty."""
    seen = "ip -oneline -4 address; ip -4 route; iptables-save | grep -e ^-A -e LAB || true"
    return run(enclosure.network_command(["bash", "-c", seen])).stdout


def gateway(plan: Plan) -> str:
    return str(plan.uplink.host_address.ip)


def test_nodes_go_out_while_it_is_open_and_the_host_is_untouched(
    door: WayOut, world: SmallWorld, enclosure: Enclosure, plan: Plan
) -> None:
    before, inside_before = footprint(world), inside(enclosure)
    assert door.condition == "closed"
    assert "Network is unreachable" in world.node.fetch(INTERNET)
    assert world.node.resolve(gateway(plan), NAME) == "status 3"

    door.open(plan, UPLINK, allow_host=False, allow_lan=False, now=NOW)
    assert door.condition == "open"
    assert world.node.fetch(INTERNET) == "the internet"
    assert world.node.resolve(gateway(plan), NAME) == INTERNET
    assert world.node.resolve(gateway(plan), "k8s-node1") == "192.168.31.102"
    assert footprint(world) == before

    door.close()
    assert door.condition == "closed"
    assert "Network is unreachable" in world.node.fetch(INTERNET)
    assert world.node.resolve(gateway(plan), NAME) == "status 3"
    assert world.node.resolve(gateway(plan), "k8s-node1") == "192.168.31.102"
    assert footprint(world) == before
    assert inside(enclosure) == inside_before


def test_names_of_the_lab_are_not_asked_outside(door: WayOut, world: SmallWorld, plan: Plan) -> None:
    door.open(plan, UPLINK, allow_host=False, allow_lan=False, now=NOW)
    asked = [world.node.resolve(gateway(plan), name) for name in ("plain", "web.default.svc.cluster.local")]
    assert asked == ["status 3", "status 3"]


def test_the_resolver_of_the_host_may_be_at_its_loopback(
    door: WayOut, world: SmallWorld, plan: Plan, tmp_path: Path
) -> None:
    """As systemd-resolved is; it may be asked for names, though the host is off limits."""
    (tmp_path / "resolv.conf").write_text(f"nameserver {HOSTS_OWN_RESOLVER}\n")
    door.open(plan, UPLINK, allow_host=False, allow_lan=False, now=NOW)
    assert world.node.resolve(gateway(plan), NAME) == INTERNET


def test_the_host_and_its_lan_are_off_limits(door: WayOut, world: SmallWorld, plan: Plan) -> None:
    opening = door.open(plan, UPLINK, allow_host=False, allow_lan=False, now=NOW)
    assert opening.link == "10.0.2.0/24"
    for address in ("10.0.2.2", HOST, HOST_ON_LAN, NEIGHBOUR, OFFICE, "203.0.113.1"):
        assert "No route to host" in world.node.fetch(address), address


def test_the_host_may_be_allowed_alone(door: WayOut, world: SmallWorld, plan: Plan) -> None:
    door.open(plan, UPLINK, allow_host=True, allow_lan=False, now=NOW)
    assert {world.node.fetch(address) for address in ("10.0.2.2", HOST, HOST_ON_LAN)} == {"the host"}
    assert "No route to host" in world.node.fetch(NEIGHBOUR)
    assert "No route to host" in world.node.fetch(OFFICE)


def test_the_lan_may_be_allowed_alone(door: WayOut, world: SmallWorld, plan: Plan) -> None:
    door.open(plan, UPLINK, allow_host=False, allow_lan=True, now=NOW)
    assert world.node.fetch(NEIGHBOUR) == "the neighbour"
    assert world.node.fetch(OFFICE) == "the office"
    assert "No route to host" in world.node.fetch(HOST_ON_LAN)
    assert "No route to host" in world.node.fetch("10.0.2.2")


def test_only_the_networks_that_were_named_lead_out(door: WayOut, world: SmallWorld, plan: Plan) -> None:
    door.open(plan, UPLINK, allow_host=False, allow_lan=False, now=NOW)
    assert "Network is unreachable" in world.pod_on_underlay.fetch(INTERNET)
    # Whichever way a pod asks, it is the lab's own server that it asks.
    assert world.pod_on_underlay.resolve(gateway(plan), NAME) == INTERNET
    door.open(plan, ("uplink", "underlay"), allow_host=False, allow_lan=False, now=NOW)
    assert world.pod_on_underlay.fetch(INTERNET) == "the internet"
    assert world.node.fetch(INTERNET) == "the internet"


@pytest.mark.parametrize("name", [LINK, RESOLVER])
def test_a_killed_part_is_told_and_mended(
    door: WayOut, world: SmallWorld, enclosure: Enclosure, plan: Plan, name: str
) -> None:
    door.open(plan, UPLINK, allow_host=False, allow_lan=False, now=NOW)
    part = living(enclosure.layout.tied_record(name))
    assert part is not None
    os.kill(part.pid, signal.SIGKILL)
    wait_for(lambda: check_ended(part), what="end", deadline=Deadline(10), interval=0.01)
    said = {LINK: "slirp4netns ended", RESOLVER: "dnsmasq ended"}[name]
    assert (door.condition, door.broken) == (Condition.BROKEN, said)
    door.open(plan, UPLINK, allow_host=False, allow_lan=False, now=NOW)
    assert door.condition is Condition.OPEN
    assert world.node.fetch(INTERNET) == "the internet"
    assert world.node.resolve(gateway(plan), NAME) == INTERNET


def test_who_goes_on_asking_from_one_port_is_heard_by_the_right_one(
    door: WayOut, world: SmallWorld, enclosure: Enclosure, plan: Plan
) -> None:
    """CoreDNS does. While some rule asks for connections, the kernel knows those of a closed door too."""
    tracking = "iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP"
    run(enclosure.network_command(tracking.split()))
    asked = []
    for _ in range(2):
        asked.append(world.node.resolve(gateway(plan), NAME, 3053))
        door.open(plan, UPLINK, allow_host=False, allow_lan=False, now=NOW)
        asked.append(world.node.resolve(gateway(plan), NAME, 3053))
        door.close()
    assert asked == ["status 3", INTERNET] * 2


def check_ended(process: ProcessIdentity) -> None:
    if process.alive:
        raise NotYetError("it runs")


def test_it_ends_with_the_lab_and_is_closed_in_its_next_life(
    door: WayOut, world: SmallWorld, enclosure: Enclosure, plan: Plan
) -> None:
    before = footprint(world)
    door.open(plan, UPLINK, allow_host=False, allow_lan=False, now=NOW)
    parts = [living(enclosure.layout.tied_record(name)) for name in (LINK, RESOLVER)]
    enclosure.stop()
    assert [part.alive for part in parts if part] == [False, False]
    assert door.condition is Condition.CLOSED
    enclosure.start()
    assert door.condition is Condition.CLOSED
    assert footprint(world) == before


def test_what_fails_while_it_opens_leaves_it_closed(
    door: WayOut, enclosure: Enclosure, plan: Plan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = inside(enclosure)
    broken = tmp_path / "slirp4netns"
    broken.write_text("#!/bin/sh\necho no tap today\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(LabError, match="slirp4netns ended while it started") as failed:
        door.open(plan, UPLINK, allow_host=False, allow_lan=False, now=NOW)
    assert "no tap today" in str(failed.value)
    assert door.condition is Condition.CLOSED
    assert inside(enclosure) == before


def test_a_lab_without_its_networks_is_refused(enclosure: Enclosure, labs: Path, plan: Plan) -> None:
    door = WayOut(enclosure, LabFolder(labs / "a"))
    with pytest.raises(LabError, match="has no network uplink yet"):
        door.open(plan, UPLINK, allow_host=False, allow_lan=False, now=NOW)


def test_a_program_that_is_not_installed_is_named_with_its_package(
    labs: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for program in ("dnsmasq", "iptables-restore"):
        (tmp_path / program).write_text("")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("lab.doors.programs.search_path", lambda: str(tmp_path))
    door = WayOut(Enclosure(LabFolder(labs / "a")), LabFolder(labs / "a"))
    with pytest.raises(LabError, match="slirp4netns is not installed") as refused:
        door.open(plan, UPLINK, allow_host=False, allow_lan=False, now=NOW)
    assert refused.value.resolution == "apt install slirp4netns"


def test_a_damaged_record_is_a_closed_door(door: WayOut, labs: Path) -> None:
    (labs / "a" / "outside.json").write_text("{")
    assert door.condition is Condition.CLOSED
