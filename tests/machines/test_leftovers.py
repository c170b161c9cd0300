"""Machines of which one of libvirt and Vagrant knows nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from lab.foundation.paths import LabFolder
from lab.foundation.process import run
from lab.host.enclosure import Enclosure
from lab.machines.layers import Layers
from lab.machines.leftovers import machine_folder, remove_half_made
from lab.machines.libvirt_api import Libvirt
from lab.machines.networks import POOL, make_networks, make_pool
from lab.machines.snapshots import Snapshots, write_manifest
from lab.topology.plan import Plan

NODES = ("k8s-master1", "k8s-node1", "k8s-node2")


@pytest.fixture
def connection(enclosure: Enclosure, plan: Plan) -> Iterator[Libvirt]:
    with Libvirt(enclosure.libvirt_uri) as connection:
        make_networks(connection, plan)
        make_pool(connection)
        yield connection


@pytest.fixture
def snapshots(enclosure: Enclosure, lab_folder: LabFolder) -> Snapshots:
    return Snapshots(lab_folder.snapshots, Layers(enclosure.layout.images))


def define(enclosure: Enclosure, node: str, networks: tuple[str, ...]) -> str:
    """Define a machine that is never started; returns its UUID."""
    nics = "".join(f'<interface type="network"><source network="{name}"/></interface>' for name in networks)
    raw = libvirt.open(enclosure.libvirt_uri)
    domain = raw.defineXML(
        f'<domain type="qemu"><name>{node}</name><memory>65536</memory><os><type machine="pc">hvm</type></os>'
        f"<devices>{nics}</devices></domain>"
    )
    raw.close()
    return str(domain.UUIDString())


def remember(folder: LabFolder, node: str, uuid: str) -> Path:
    """Do as Vagrant does once it has made a machine."""
    record = machine_folder(folder, node) / "id"
    record.parent.mkdir(parents=True)
    record.write_text(uuid)
    return record


def make_volume(enclosure: Enclosure, node: str) -> None:
    run(["qemu-img", "create", "-q", "-f", "qcow2", enclosure.layout.images / f"{node}.img", "1M"])


def test_where_nothing_was_made_nothing_is_removed(
    connection: Libvirt, lab_folder: LabFolder, plan: Plan, snapshots: Snapshots
) -> None:
    assert remove_half_made(connection, lab_folder, plan, snapshots) == NODES


def test_a_whole_machine_stays(
    connection: Libvirt, enclosure: Enclosure, lab_folder: LabFolder, plan: Plan, snapshots: Snapshots
) -> None:
    make_volume(enclosure, "k8s-node1")
    uuid = define(enclosure, "k8s-node1", ("uplink", "underlay", "management", "storage"))
    record = remember(lab_folder, "k8s-node1", uuid)
    assert remove_half_made(connection, lab_folder, plan, snapshots) == ("k8s-master1", "k8s-node2")
    assert [domain.uuid for domain in connection.domains()] == [uuid]
    assert connection.volumes(POOL) == ("k8s-node1.img",)
    record.write_text("of another time")
    assert remove_half_made(connection, lab_folder, plan, snapshots) == NODES
    assert connection.domains() == ()


def test_a_machine_without_all_its_nics_is_removed(
    connection: Libvirt, enclosure: Enclosure, lab_folder: LabFolder, plan: Plan, snapshots: Snapshots
) -> None:
    record = remember(lab_folder, "k8s-node1", define(enclosure, "k8s-node1", ("uplink", "underlay")))
    make_volume(enclosure, "k8s-node1")
    assert "k8s-node1" in remove_half_made(connection, lab_folder, plan, snapshots)
    assert connection.domains() == ()
    assert connection.volumes(POOL) == ()
    assert not record.exists()


def test_a_machine_that_vagrant_does_not_know_is_removed(
    connection: Libvirt, enclosure: Enclosure, lab_folder: LabFolder, plan: Plan, snapshots: Snapshots
) -> None:
    define(enclosure, "k8s-node2", ("uplink", "underlay", "management", "storage"))
    assert "k8s-node2" in remove_half_made(connection, lab_folder, plan, snapshots)
    assert connection.domains() == ()


def test_a_disk_and_a_record_without_a_machine_are_removed(
    connection: Libvirt, enclosure: Enclosure, lab_folder: LabFolder, plan: Plan, snapshots: Snapshots
) -> None:
    make_volume(enclosure, "k8s-master1")
    record = remember(lab_folder, "k8s-master1", "of another time")
    assert "k8s-master1" in remove_half_made(connection, lab_folder, plan, snapshots)
    assert connection.volumes(POOL) == ()
    assert not record.exists()


def test_without_one_of_its_machines_a_snapshot_goes(
    connection: Libvirt, lab_folder: LabFolder, plan: Plan, snapshots: Snapshots
) -> None:
    with snapshots.adding("clean") as folder:
        write_manifest(folder, "clean", {})
    assert snapshots.find("clean") is not None
    remove_half_made(connection, lab_folder, plan, snapshots)
    assert snapshots.all() == ()
