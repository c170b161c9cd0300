"""Machines with nothing to boot, kept from one lab and brought back in another, as Machines does it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from lab.foundation.errors import LabError
from lab.foundation.paths import LabFolder
from lab.foundation.process import run
from lab.host.enclosure import Enclosure
from lab.machines.base_volume import base_volume_name
from lab.machines.layers import Layers, disk_path, volume_name
from lab.machines.leftovers import machine_folder, remove_machines
from lab.machines.libvirt_api import Libvirt
from lab.machines.machines import Machines, MachineState
from lab.machines.snapshots import Snapshots
from lab.machines.vagrantfile import MachineSettings
from lab.supply.box.model import Box
from lab.topology.plan import Plan

SIZE = "1M"
DAY = 24 * 60 * 60


def domain(node: str, folder: LabFolder, box: Box) -> str:
    return f"""
<domain type="qemu">
  <name>{node}</name>
  <memory unit="MiB">16</memory>
  <os><type machine="pc">hvm</type></os>
  <description>started from {box.folder}</description>
  <devices>
    <disk type="file" device="disk">
      <driver name="qemu" type="qcow2"/>
      <source file="{disk_path(volume_name(node))}"/>
      <target dev="vda" bus="virtio"/>
    </disk>
    <interface type="network"><source network="underlay"/></interface>
    <serial type="file"><source path="{folder.logs}/{node}.console.log"/></serial>
    <memballoon model="none"/>
  </devices>
</domain>
"""


@pytest.fixture
def other() -> Iterator[Enclosure]:
    """Another lab, with an enclosure of its own that runs."""
    root = Path(tempfile.mkdtemp(prefix="labs-"))
    enclosure = Enclosure(LabFolder(root / "b"))
    enclosure.start()
    yield enclosure
    enclosure.stop()
    shutil.rmtree(root)


@pytest.fixture(autouse=True)
def times(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The times that the machines, which have no guest agent, were told; before, each is a day behind."""
    told: list[int] = []
    monkeypatch.setattr(Libvirt, "time", lambda _self, _name: time.time_ns() - DAY * 10**9)
    monkeypatch.setattr(Libvirt, "set_time", lambda _self, _name, now: told.append(now))
    return told


def machines_of(enclosure: Enclosure, plan: Plan, box: Box) -> Machines:
    folder = LabFolder(enclosure.layout.root.parent)
    return Machines(folder, plan, box, MachineSettings(driver="qemu"), enclosure)


@pytest.fixture
def machines(enclosure: Enclosure, lab_folder: LabFolder, plan: Plan, empty_box: Box) -> Iterator[Machines]:
    """Machines that run, made as Vagrant would have made them."""
    machines = machines_of(enclosure, plan, empty_box)
    machines.prepare()
    lab_folder.logs.mkdir(parents=True, exist_ok=True)
    raw = libvirt.open(enclosure.libvirt_uri)
    for node in (node.name for node in plan.nodes):
        volume = enclosure.layout.images / volume_name(node)
        words = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-u", "-b"]
        run([*words, disk_path(base_volume_name(empty_box)), volume, SIZE])
        raw.defineXML(domain(node, lab_folder, empty_box)).create()
        of_vagrant = machine_folder(lab_folder, node)
        of_vagrant.mkdir(parents=True)
        (of_vagrant / "id").write_text("the machine's")
        (of_vagrant / "index_uuid").write_text("the first lab's")
    raw.close()
    yield machines
    snapshots = Snapshots(lab_folder.snapshots, Layers(enclosure.layout.images))
    with Libvirt(enclosure.libvirt_uri) as connection:
        remove_machines(connection, lab_folder, [node.name for node in plan.nodes], snapshots)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if "vagrant_box_image" not in path.name}


def test_a_snapshot_is_brought_back_as_often_as_one_likes(
    machines: Machines, enclosure: Enclosure, times: list[int]
) -> None:
    before = time.time_ns()
    machines.snapshot("clean")
    assert machines.snapshots() == ("clean",)
    assert set(machines.states().values()) == {MachineState.RUNNING}
    assert len(times) == 3
    assert all(abs(told - before) < 60 * 10**9 for told in times)
    for _ in range(2):
        assert machines.revert("clean").leap == pytest.approx(DAY, abs=60)
        assert set(machines.states().values()) == {MachineState.RUNNING}
        # For each machine the frozen layer and one that it writes to.
        assert len(files(enclosure.layout.images)) == 6
    assert len(times) == 9


def test_memory_that_qemu_does_not_take_is_explained(machines: Machines, lab_folder: LabFolder) -> None:
    machines.snapshot("clean")
    for memory in lab_folder.snapshots.glob("clean/*.memory"):
        content = memory.read_bytes()
        memory.unlink()
        memory.write_bytes(content[: len(content) // 2])
    with pytest.raises(LabError, match="cannot restore ") as failed:
        machines.revert("clean")
    assert "if QEMU was updated since the snapshot was taken, `lab down` and `lab up --cold`" in str(
        failed.value
    )


def test_layers_live_as_long_as_something_needs_them(machines: Machines, enclosure: Enclosure) -> None:
    machines.snapshot("one")
    machines.snapshot("two")
    assert len(files(enclosure.layout.images)) == 9
    machines.remove_snapshot("one")
    assert machines.snapshots() == ("two",)
    assert len(files(enclosure.layout.images)) == 9
    machines.revert("two")
    machines.remove_snapshot("two")
    assert len(files(enclosure.layout.images)) == 9
    machines.snapshot("three")
    machines.revert("three")
    with pytest.raises(LabError, match="there is no snapshot two of all nodes"):
        machines.revert("two")


def test_a_name_is_taken_once(machines: Machines) -> None:
    machines.snapshot("clean")
    with pytest.raises(LabError, match="there is a snapshot clean already"):
        machines.snapshot("clean")


def test_what_fails_leaves_machines_that_run_and_no_snapshot(
    machines: Machines, enclosure: Enclosure, lab_folder: LabFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_self: Libvirt, name: str, _memory: Path, _layer: str) -> None:
        raise LabError(f"cannot save {name}")

    with monkeypatch.context() as patched:
        patched.setattr(Libvirt, "save", fail)
        with pytest.raises(LabError, match="cannot save"):
            machines.snapshot("clean")
    assert machines.snapshots() == ()
    assert set(machines.states().values()) == {MachineState.RUNNING}
    assert files(lab_folder.snapshots) == set()


def test_machines_go_from_one_lab_to_another_without_a_copy(
    *,
    machines: Machines,
    enclosure: Enclosure,
    lab_folder: LabFolder,
    other: Enclosure,
    plan: Plan,
    empty_box: Box,
) -> None:
    machines.snapshot("clean")
    machines.snapshot("mode-macvlan:host_shim=false")
    kept = Path(tempfile.mkdtemp(prefix="kept-", dir=lab_folder.root.parent))
    machines.keep(kept, ("clean", "mode-macvlan:host_shim=false"))
    folder = LabFolder(other.layout.root.parent)
    elsewhere = machines_of(other, plan, empty_box)
    for _ in range(2):
        elsewhere.bring_back(kept, ("clean",))
        assert elsewhere.snapshots() == ("clean",)
        assert set(elsewhere.states().values()) == {MachineState.OFF}
        elsewhere.revert("clean")
        assert set(elsewhere.states().values()) == {MachineState.RUNNING}
    elsewhere.take_over(kept, "mode-macvlan:host_shim=false")
    assert elsewhere.snapshots() == ("clean", "mode-macvlan:host_shim=false")
    elsewhere.revert("mode-macvlan:host_shim=false")
    assert set(elsewhere.states().values()) == {MachineState.RUNNING}
    assert files(other.layout.capabilities) == files(enclosure.layout.capabilities) != set()
    for node in (node.name for node in plan.nodes):
        first = volume_name(node)
        assert (other.layout.images / first).samefile(enclosure.layout.images / first)
        with Libvirt(other.libvirt_uri) as connection:
            text = connection.domain_xml(node)
        assert f"{folder.logs}/{node}.console.log" in text
        assert f"started from {empty_box.folder}" in text
        assert str(lab_folder.root) not in text
        assert (machine_folder(folder, node) / "id").read_text() == "the machine's"
        assert not (machine_folder(folder, node) / "index_uuid").exists()


def test_a_machine_is_made_anew_and_snapshots_know_it_as_it_was(
    machines: Machines, enclosure: Enclosure, plan: Plan
) -> None:
    machines.snapshot("clean")
    node = plan.nodes[0].name
    layers = Layers(enclosure.layout.images)

    def chain() -> tuple[str, ...]:
        with Libvirt(enclosure.libvirt_uri) as connection:
            return layers.chain(Path(connection.disk(node)).name)

    before = chain()
    machines.make_anew(node)
    assert set(machines.states().values()) == {MachineState.RUNNING}
    (empty,) = chain()
    assert empty not in before
    machines.revert("clean")
    assert chain()[1:] == before[1:]
    assert empty not in files(enclosure.layout.images), "nobody needs it any more"
