"""The door to a real LAN: a veth of a namespace that plays the host, whose other end plays the LAN."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.doors import lan as module
from lab.doors.lan import PORT, RealLan, lab_addresses
from lab.doors.lan_port import TAP
from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.paths import LabFolder
from lab.foundation.process import run
from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.host.enclosure import Enclosure
from lab.host.tied import living
from lab.topology.plan import Plan
from tests.doors.small_world import HOST_ON_LAN, NEIGHBOUR, Place, SmallWorld, small_world

DEVICE, MACHINE, POD = "lan", "172.31.0.50", "172.31.0.200"
NOW = "2026-01-01T00:00:00+00:00"
WHO_ASKS = """\
import http.server, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write((self.client_address[0] + " " + "x" * int(sys.argv[2])).encode())
http.server.HTTPServer((sys.argv[1], 8000), Page).serve_forever()
"""
LARGE = 300_000


@dataclass
class Scene:
    """The door, the world, and programs that run in it."""

    door: RealLan
    world: SmallWorld
    enclosure: Enclosure
    started: list[subprocess.Popen[bytes]]

    @property
    def machine(self) -> Place:
        """Of the LAN."""
        return self.world.internet

    def start(self, place: Place, *words: str) -> None:
        self.started.append(subprocess.Popen([*place.enter, *words]))

    def tells_who_asks(self, place: Place, address: str) -> None:
        self.start(place, "python3", "-c", WHO_ASKS, address, str(LARGE))

        def listens() -> None:
            if ":8000 " not in place.run("ss -Hltn"):
                raise NotYetError("nobody listens")

        wait_for(listens, what="the server", deadline=Deadline(20), interval=0.05)


@pytest.fixture
def scene(
    make_enclosure: Callable[[str], Enclosure], labs: Path, plan: Plan, tmp_path: Path
) -> Iterator[Scene]:
    enclosure = make_enclosure("a")
    enclosure.start()
    with small_world(enclosure, plan, tmp_path) as world:
        world.internet.run(f"ip address add {MACHINE}/21 dev {DEVICE}")
        started: list[subprocess.Popen[bytes]] = []
        yield Scene(RealLan(enclosure, LabFolder(labs / "a"), world.host.enter), world, enclosure, started)
        for process in started:
            process.kill()
            process.wait()


def footprint(world: SmallWorld) -> str:
    return world.host.run(
        "ip -oneline -4 address; ip -4 route show table all; ip -brief link; tc qdisc;"
        " iptables-save | grep -v ^# || true"
    )


def test_a_machine_of_the_lan_and_a_pod_on_the_underlay_are_neighbours(scene: Scene, plan: Plan) -> None:
    world = scene.world
    before = footprint(world)
    scene.tells_who_asks(world.pod_on_underlay, POD)
    scene.tells_who_asks(scene.machine, MACHINE)
    assert "No route to host" in scene.machine.fetch(f"{POD}:8000")

    assert scene.door.open(plan, DEVICE, NOW).network == "underlay"
    assert scene.door.condition == "open"
    scene.machine.run("ip neighbour flush all")
    to_pod, to_machine = scene.machine.fetch(f"{POD}:8000"), world.pod_on_underlay.fetch(f"{MACHINE}:8000")
    assert (to_pod.split()[0], to_machine.split()[0]) == (MACHINE, POD)
    assert {len(to_pod.split()[1]), len(to_machine.split()[1])} == {LARGE}
    assert footprint(world) == before
    assert world.host.fetch(NEIGHBOUR) == "the neighbour"
    assert scene.machine.fetch(HOST_ON_LAN) == "the host"

    scene.door.close()
    scene.machine.run("ip neighbour flush all")
    assert "No route to host" in scene.machine.fetch(f"{POD}:8000")
    assert footprint(world) == before


@pytest.mark.parametrize(
    ("address", "whose"),
    [("172.31.6.7", "pods"), ("172.31.7.102", "k8s-node1"), ("172.31.0.2", "the gateway")],
)
def test_an_address_that_a_machine_there_has_is_found_before_anything_is_joined(
    scene: Scene, plan: Plan, address: str, whose: str
) -> None:
    scene.machine.run(f"ip address add {address}/21 dev {DEVICE}")
    mac = json.loads(scene.machine.run(f"ip -json link show {DEVICE}"))[0]["address"]
    with pytest.raises(LabError, match="addresses of the lab are in use on the LAN of lan") as found:
        scene.door.open(plan, DEVICE, NOW)
    assert found.value.details == f"{address}, for {whose}: {mac}"
    assert scene.door.condition == "closed"
    assert TAP not in run(scene.enclosure.network_command(["ip", "-brief", "link"])).stdout


def test_an_address_that_the_host_has_is_found(scene: Scene, plan: Plan) -> None:
    scene.world.host.run("ip address add 172.31.6.9/21 dev wan")
    with pytest.raises(LabError, match="addresses of the lab are in use") as found:
        scene.door.open(plan, DEVICE, NOW)
    assert found.value.details == "172.31.6.9, for pods: this host"


def test_a_dhcp_server_that_gives_out_addresses_of_pods_is_found(scene: Scene, plan: Plan) -> None:
    words = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file", "--port=0"]
    words += [f"--interface={DEVICE}", "--leasefile-ro", "--log-dhcp", "--log-facility=-", "--no-ping"]
    scene.start(scene.machine, *words, "--dhcp-range=172.31.6.100,172.31.6.200,255.255.248.0")

    def serves() -> None:
        if ":67 " not in scene.machine.run("ss -Hlun"):
            raise NotYetError("nobody listens")

    wait_for(serves, what="the DHCP server", deadline=Deadline(20), interval=0.05)
    with pytest.raises(LabError, match=f"the DHCP server {MACHINE} on the LAN of lan gives out") as found:
        scene.door.open(plan, DEVICE, NOW)
    assert found.value.details is not None
    assert found.value.details.startswith("it offered 172.31.6.")


def test_killed_it_is_broken_and_nothing_of_it_is_left(scene: Scene, plan: Plan) -> None:
    scene.door.open(plan, DEVICE, NOW)
    process = living(scene.enclosure.layout.tied_record(PORT))
    assert process is not None
    promiscuous = f"ip -details -json link show {DEVICE}"
    assert json.loads(scene.world.host.run(promiscuous))[0]["promiscuity"] == 1
    os.kill(process.pid, signal.SIGKILL)
    while process.alive:
        os.sched_yield()
    assert scene.door.condition == "broken"
    assert json.loads(scene.world.host.run(promiscuous))[0]["promiscuity"] == 0
    assert TAP not in run(scene.enclosure.network_command(["ip", "-brief", "link"])).stdout
    scene.door.open(plan, DEVICE, NOW)
    assert scene.door.condition == "open"
    scene.enclosure.stop()
    assert scene.door.condition == "closed"
    assert json.loads(scene.world.host.run(promiscuous))[0]["promiscuity"] == 0


def test_a_device_that_can_be_no_port_is_refused_with_the_reason(
    scene: Scene, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WrongUseError, match="this host has no Ethernet device eth7") as refused:
        scene.door.open(plan, "eth7", NOW)
    assert refused.value.resolution == "use one of: wan, lan"
    scene.world.host.run("ip link add br0 type bridge; ip link set wan master br0")
    with pytest.raises(WrongUseError, match="wan is a port of br0 already"):
        scene.door.open(plan, "wan", NOW)
    with pytest.raises(LabError, match="br0 is down, or has no cable"):
        scene.door.open(plan, "br0", NOW)
    (tmp_path / "net" / DEVICE / "phy80211").mkdir(parents=True)
    monkeypatch.setattr(module, "SYSFS", tmp_path / "net")
    with pytest.raises(WrongUseError, match="lan is a Wi-Fi device") as refused:
        scene.door.open(plan, DEVICE, NOW)
    assert "lab forward" in str(refused.value)


def test_all_that_the_lab_may_use_is_looked_for(plan: Plan) -> None:
    underlay = plan.underlay
    assert underlay is not None
    assert underlay.pod_range is not None
    found = lab_addresses(plan, underlay)
    assert list(found.values()).count("pods") == underlay.pod_range.size
    assert {*found.values()} == {"pods", "the gateway", "the LAN host", *(node.name for node in plan.nodes)}
