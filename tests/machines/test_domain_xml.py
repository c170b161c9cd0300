"""What is read from a domain's XML, and what is changed in it."""

from __future__ import annotations

import pytest

from lab.foundation.errors import LabError
from lab.machines.domain_xml import Disk, disk_of, snapshot_xml, taps_of, with_disk, with_plugin

DISK = """
    <disk type="file" device="disk">
      <driver name="qemu" type="qcow2"/>
      <source file="/images/a.img"/>
      <backingStore type="file"><format type="qcow2"/><source file="/images/box.img"/></backingStore>
      <target dev="vda" bus="virtio"/>
    </disk>"""
NIC = '<interface type="bridge"><source bridge="br0"/><target dev="vnet0"/></interface>'
CDROM = '<disk type="file" device="cdrom"><target dev="sda" bus="sata"/></disk>'


def domain(devices: str) -> str:
    return f"<domain><name>a</name><devices>{devices}</devices></domain>"


def test_the_disk_is_found_among_nics_and_other_drives() -> None:
    assert disk_of(domain(NIC + CDROM + DISK)) == Disk("vda", "/images/a.img")


def test_the_disk_moves_and_its_layers_are_left_to_libvirt() -> None:
    changed = with_disk(domain(NIC + DISK), "/images/b.img")
    assert disk_of(changed) == Disk("vda", "/images/b.img")
    assert "backingStore" not in changed
    assert '<target dev="vnet0" />' in changed


def test_only_the_disk_is_part_of_a_snapshot() -> None:
    disk = disk_of(domain(NIC + DISK))
    assert snapshot_xml(disk, "/memory", "/images/b.img") == (
        '<domainsnapshot><memory snapshot="external" file="/memory" /><disks>'
        '<disk name="vda" snapshot="external"><driver type="qcow2" /><source file="/images/b.img" /></disk>'
        "</disks></domainsnapshot>"
    )


@pytest.mark.parametrize("devices", [NIC, DISK + DISK])
def test_a_machine_has_one_disk(devices: str) -> None:
    with pytest.raises(LabError, match="expected one"):
        disk_of(domain(devices))


def test_a_plugin_is_handed_on_to_qemu_as_it_is() -> None:
    changed = with_plugin(domain(NIC + DISK), "/a.so,file=/b")
    assert (
        '<qemu:commandline><qemu:arg value="-plugin" /><qemu:arg value="/a.so,file=/b" /></qemu:commandline>'
        in changed
    )
    assert disk_of(changed) == Disk("vda", "/images/a.img")


def test_the_hosts_ends_of_the_nics_are_found() -> None:
    assert taps_of(domain(NIC + DISK)) == ("vnet0",)
