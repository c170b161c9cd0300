from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from lab.foundation.errors import LabError
from lab.foundation.process import run
from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.host.enclosure import Enclosure
from lab.host.lan_host import LanHost
from lab.host.process_identity import ProcessIdentity
from lab.topology.loader import load_topology
from lab.topology.plan import Plan
from lab.topology.planner import make_plan

TOPOLOGIES = Path(__file__).parents[2] / "topologies"


@pytest.fixture
def plan() -> Plan:
    return make_plan(load_topology(TOPOLOGIES / "underlay-3node.yaml"))


@pytest.fixture
def enclosure(make_enclosure: Callable[[str], Enclosure], plan: Plan) -> Enclosure:
    """A running enclosure with the underlay's bridge, and nothing else."""
    enclosure = make_enclosure("a")
    enclosure.start()
    underlay = plan.underlay
    assert underlay is not None
    run(enclosure.command(["ip", "link", "add", underlay.bridge, "type", "bridge"]))
    run(enclosure.command(["ip", "address", "add", str(underlay.host_address), "dev", underlay.bridge]))
    run(enclosure.command(["ip", "link", "set", underlay.bridge, "up"]))
    return enclosure


def test_it_is_a_third_party_on_the_underlay(enclosure: Enclosure, plan: Plan) -> None:
    lan_host = LanHost(enclosure, plan)
    assert lan_host.pid is None
    lan_host.start()
    assert lan_host.address == IPv4Address("172.31.0.100")
    assert run(lan_host.command(["hostname"])).stdout == "lan-host\n"
    assert "172.31.0.100/21" in run(lan_host.command(["ip", "-brief", "address"])).stdout
    assert run(lan_host.command(["ip", "route", "get", "192.168.6.201"])).stdout.startswith(
        "192.168.6.201 via 172.31.0.2 dev eth0 src 172.31.0.100"
    )
    run(lan_host.command(["ping", "-c", "1", "-W", "5", "172.31.0.2"]))
    assert "br-underlay" not in run(lan_host.command(["ip", "link"])).stdout


def test_starting_again_changes_nothing_and_it_ends_with_the_lab(enclosure: Enclosure, plan: Plan) -> None:
    lan_host = LanHost(enclosure, plan)
    lan_host.start()
    pid = lan_host.pid
    assert pid is not None
    lan_host.start()
    assert lan_host.pid == pid
    enclosure.stop()
    assert ProcessIdentity.of(pid) is None
    assert not lan_host.running


def test_it_serves_with_the_test_server(enclosure: Enclosure, plan: Plan, tmp_path: Path) -> None:
    agnhost = tmp_path / "agnhost"
    agnhost.write_text(
        '#!/bin/sh\necho "$@" > "$(dirname "$0")/arguments"\nexec python3 -m http.server 8080\n'
    )
    agnhost.chmod(0o755)
    lan_host = LanHost(enclosure, plan)
    lan_host.start(agnhost)
    probe = ["python3", "-c", "import socket; socket.create_connection(('172.31.0.100', 8080), 2)"]

    def check() -> None:
        done = run(enclosure.network_command(probe), check=False)
        if done.returncode != 0:
            raise NotYetError(done.stderr.splitlines()[-1])

    wait_for(check, what="HTTP server", deadline=Deadline(20), interval=0.1)
    assert (tmp_path / "arguments").read_text() == "netexec --http-port=8080 --udp-port=8081\n"


def test_after_its_process_was_killed_it_starts_again(enclosure: Enclosure, plan: Plan) -> None:
    lan_host = LanHost(enclosure, plan)
    lan_host.start()
    pid = lan_host.pid
    run(["kill", "-KILL", str(pid)])
    wait_for(lambda: check_ended(lan_host), what="end", deadline=Deadline(5), interval=0.01)
    lan_host.start()
    run(lan_host.command(["ping", "-c", "1", "-W", "5", "172.31.0.2"]))


def test_an_interrupted_start_is_done_again(
    enclosure: Enclosure, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    lan_host = LanHost(enclosure, plan)
    with monkeypatch.context() as patch:
        patch.setattr(lan_host, "_connect", interrupt)
        with pytest.raises(KeyboardInterrupt):
            lan_host.start()
    assert not lan_host.running
    lan_host.start()
    run(lan_host.command(["ping", "-c", "1", "-W", "5", "172.31.0.2"]))
    assert run(enclosure.command(["ps", "-eo", "args"])).stdout.count("sleep infinity") == 1


def check_ended(lan_host: LanHost) -> None:
    if lan_host.running:
        raise NotYetError("it runs")


def test_a_topology_without_a_lan_host_is_refused(
    make_enclosure: Callable[[str], Enclosure], plan: Plan
) -> None:
    underlay = plan.underlay
    assert underlay is not None
    networks = tuple(
        replace(network, lan_host=None) if network is underlay else network for network in plan.networks
    )
    with pytest.raises(LabError, match="has no LAN host"):
        LanHost(make_enclosure("a"), replace(plan, networks=networks))
