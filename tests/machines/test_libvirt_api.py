"""libvirt itself, with a machine that has nothing to boot: its firmware runs and waits."""

from __future__ import annotations

from collections.abc import Iterator

import libvirt
import pytest

from lab.foundation.errors import LabError
from lab.foundation.process import run
from lab.host.enclosure import Enclosure
from lab.machines.libvirt_api import AgentSilentError, DomainFacts, DomainState, Libvirt

NAME = "nothing-to-boot"
DOMAIN = f"""
<domain type="qemu">
  <name>{NAME}</name>
  <memory unit="MiB">16</memory>
  <os><type machine="pc">hvm</type></os>
  <devices>
    <disk type="file" device="disk">
      <driver name="qemu" type="qcow2"/>
      <source file="/var/lib/libvirt/{NAME}.img"/>
      <target dev="vda" bus="virtio"/>
    </disk>
    <channel type="unix"><target type="virtio" name="org.qemu.guest_agent.0"/></channel>
    <memballoon model="none"/>
  </devices>
</domain>
"""


@pytest.fixture(scope="module")
def connection(enclosure: Enclosure) -> Iterator[Libvirt]:
    image = enclosure.layout.root / "lib" / f"{NAME}.img"
    run(["qemu-img", "create", "-q", "-f", "qcow2", image, "1M"])
    raw = libvirt.open(enclosure.libvirt_uri)
    raw.defineXML(DOMAIN)
    with Libvirt(enclosure.libvirt_uri) as connection:
        yield connection
    raw.close()


@pytest.fixture
def running(connection: Libvirt, enclosure: Enclosure) -> Iterator[Libvirt]:
    raw = libvirt.open(enclosure.libvirt_uri)
    raw.lookupByName(NAME).create()
    yield connection
    raw.lookupByName(NAME).destroy()
    raw.close()


def only(connection: Libvirt) -> DomainFacts:
    (domain,) = connection.domains()
    return domain


def test_a_machine_is_off_running_and_paused(running: Libvirt) -> None:
    assert only(running).name == NAME
    assert only(running).nics == 0
    assert only(running).state is DomainState.RUNNING
    running.suspend(NAME)
    assert only(running).state is DomainState.PAUSED
    running.resume(NAME)
    assert only(running).state is DomainState.RUNNING


def test_a_snapshot_keeps_memory_and_brings_it_back_paused(running: Libvirt) -> None:
    running.create_snapshot(NAME, "clean")
    assert running.snapshots(NAME) == ("clean",)
    running.revert_to_snapshot(NAME, "clean")
    assert only(running).state is DomainState.PAUSED
    running.delete_snapshot(NAME, "clean")
    assert running.snapshots(NAME) == ()


def test_a_guest_without_an_agent_is_a_case_of_its_own(running: Libvirt) -> None:
    with pytest.raises(AgentSilentError, match=f"cannot set the time of {NAME}"):
        running.set_time(NAME, 1_700_000_000)


def test_a_missing_machine_is_explained(connection: Libvirt) -> None:
    with pytest.raises(LabError) as failed:
        connection.suspend("nobody")
    assert "cannot pause nobody" in str(failed.value)
    assert "Domain not found" in str(failed.value)


def test_nothing_answers_at_a_wrong_address() -> None:
    with pytest.raises(LabError, match="cannot reach libvirt"):
        Libvirt("qemu+unix:///system?socket=/nowhere/libvirt-sock")


def test_a_machine_with_snapshots_is_removed_whole(running: Libvirt, enclosure: Enclosure) -> None:
    running.create_snapshot(NAME, "clean")
    running.remove_domain(NAME)
    assert running.domains() == ()
    raw = libvirt.open(enclosure.libvirt_uri)
    raw.defineXML(DOMAIN)
    raw.lookupByName(NAME).create()
