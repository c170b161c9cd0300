"""A machine with nothing to boot, kept from one lab and brought back in another."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from lab.foundation.paths import LabFolder
from lab.foundation.process import run
from lab.host.enclosure import Enclosure
from lab.machines.kept import KeptMachines
from lab.machines.leftovers import machine_folder
from lab.machines.libvirt_api import DomainState, Libvirt
from lab.machines.networks import make_pool
from lab.supply.box.model import Box

NODE = "k8s-node1"


def domain(folder: LabFolder, box: Box) -> str:
    return f"""
<domain type="qemu">
  <name>{NODE}</name>
  <memory unit="MiB">16</memory>
  <os><type machine="pc">hvm</type></os>
  <description>started from {box.folder}</description>
  <devices>
    <disk type="file" device="disk">
      <driver name="qemu" type="qcow2"/>
      <source file="/var/lib/libvirt/images/{NODE}.img"/>
      <target dev="vda" bus="virtio"/>
    </disk>
    <serial type="file"><source path="{folder.logs}/{NODE}.console.log"/></serial>
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


def test_a_machine_goes_from_one_lab_to_another_with_its_snapshots(
    enclosure: Enclosure, lab_folder: LabFolder, other: Enclosure, box: Box, tmp_path: Path
) -> None:
    with Libvirt(enclosure.libvirt_uri) as connection:
        lab_folder.logs.mkdir(parents=True, exist_ok=True)
        make_pool(connection)
        run(["qemu-img", "create", "-q", "-f", "qcow2", enclosure.layout.images / f"{NODE}.img", "1M"])
        connection.define_domain(domain(lab_folder, box))
        raw = libvirt.open(enclosure.libvirt_uri)
        raw.lookupByName(NODE).create()
        raw.close()
        of_vagrant = machine_folder(lab_folder, NODE)
        of_vagrant.mkdir(parents=True)
        (of_vagrant / "id").write_text("the machine's")
        (of_vagrant / "index_uuid").write_text("the first lab's")
        connection.create_snapshot(NODE, "clean")
        connection.suspend(NODE)
        kept = KeptMachines(tmp_path, lab_folder, enclosure.layout, box)
        kept.write(connection, NODE, ["clean"])
        connection.remove_domain(NODE)

    folder = LabFolder(other.layout.root.parent)
    with Libvirt(other.libvirt_uri) as connection:
        make_pool(connection)
        KeptMachines(tmp_path, folder, other.layout, box).read(connection, NODE, ["clean"])
        assert connection.snapshots(NODE) == ("clean",)
        text = connection.domain_xml(NODE)
        assert f"{folder.logs}/{NODE}.console.log" in text
        assert f"started from {box.folder}" in text
        assert str(lab_folder.root) not in text
        connection.revert_to_snapshot(NODE, "clean")
        (machine,) = connection.domains()
        assert machine.state is DomainState.PAUSED
    assert (machine_folder(folder, NODE) / "id").read_text() == "the machine's"
    assert not (machine_folder(folder, NODE) / "index_uuid").exists()
