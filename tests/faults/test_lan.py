"""Faults of the LAN, on the bridge of a real enclosure."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.faults.registry import fault_named
from lab.foundation.paths import LabFolder
from lab.foundation.process import run
from lab.host.enclosure import Enclosure
from lab.host.lan_host import LanHost
from lab.topology.plan import NodePlan, Plan
from tests.faults.site_stand_ins import MakeSite

POD = "172.31.6.200"
GATEWAY = "172.31.0.2"


@pytest.fixture
def enclosure(plan: Plan) -> Iterator[Enclosure]:
    """A running enclosure with the underlay's bridge and the LAN host; needs root and libvirtd."""
    if shutil.which("libvirtd") is None:
        pytest.skip("enclosures need root and libvirtd")
    root = Path(tempfile.mkdtemp(prefix="labs-"))
    enclosure = Enclosure(LabFolder(root / "a"))
    enclosure.start()
    assert plan.underlay is not None
    bridge = plan.underlay.bridge
    run(enclosure.command(["ip", "link", "add", bridge, "type", "bridge"]))
    run(enclosure.command(["ip", "address", "add", str(plan.underlay.host_address), "dev", bridge]))
    run(enclosure.command(["ip", "link", "set", bridge, "up"]))
    LanHost(enclosure, plan).start()
    yield enclosure
    enclosure.stop()
    shutil.rmtree(root)


def neighbour(enclosure: Enclosure, plan: Plan, address: str) -> str:
    """The MAC address that the LAN host finds for an address; empty when nobody answers."""
    lan_host = LanHost(enclosure, plan)
    run(lan_host.command(["ping", "-c", "1", "-W", "3", address]), check=False)
    listed = run(lan_host.command(["ip", "neigh", "show", address])).stdout.split()
    return listed[listed.index("lladdr") + 1] if "lladdr" in listed else ""


def test_another_machine_has_the_pods_addresses(
    site: MakeSite, enclosure: Enclosure, plan: Plan, worker: NodePlan
) -> None:
    here, fault = site("macvlan", enclosure=enclosure), fault_named("duplicate-address")
    assert neighbour(enclosure, plan, POD) == ""
    for _ in range(2):
        fault.inject(here, worker, {})
        assert neighbour(enclosure, plan, POD)
    for _ in range(2):
        fault.clear(here, worker, {})
        assert neighbour(enclosure, plan, POD) == ""
    assert run(enclosure.command(["ps", "-eo", "args"])).stdout.count("sleep infinity") == 1
    assert "lan-intruder" not in run(enclosure.command(["ip", "link"])).stdout


def test_the_gateway_answers_nobody(
    site: MakeSite, enclosure: Enclosure, plan: Plan, worker: NodePlan
) -> None:
    here, fault = site("macvlan", enclosure=enclosure), fault_named("gateway-silent")
    mac = neighbour(enclosure, plan, GATEWAY)
    assert mac
    before = fault.remember(here, worker)
    for _ in range(2):
        fault.inject(here, worker, before)
        assert neighbour(enclosure, plan, GATEWAY) == ""
    for _ in range(2):
        fault.clear(here, worker, before)
        assert neighbour(enclosure, plan, GATEWAY) == mac
