"""libvirt itself, with a machine that has nothing to boot: its firmware runs and waits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from lab.foundation.errors import LabError
from lab.foundation.process import run
from lab.host.enclosure import Enclosure
from lab.machines.layers import Layers, disk_path, volume_name
from lab.machines.libvirt_api import AgentSilentError, DomainFacts, DomainState, Libvirt
from lab.machines.networks import make_pool

NAME = "nothing-to-boot"
DOMAIN = f"""
<domain type="qemu">
  <name>{NAME}</name>
  <memory unit="MiB">16</memory>
  <os><type machine="pc">hvm</type></os>
  <cpu mode="custom"><model>Nehalem</model></cpu>
  <devices>
    <disk type="file" device="disk">
      <driver name="qemu" type="qcow2" cache="unsafe" discard="unmap"/>
      <source file="{disk_path(volume_name(NAME))}"/>
      <target dev="vda" bus="virtio"/>
    </disk>
    <interface type="ethernet"><model type="virtio"/></interface>
    <channel type="unix"><target type="virtio" name="org.qemu.guest_agent.0"/></channel>
    <memballoon model="none"/>
  </devices>
</domain>
"""


@pytest.fixture(scope="module")
def layers(enclosure: Enclosure) -> Layers:
    return Layers(enclosure.layout.images)


@pytest.fixture(scope="module")
def connection(enclosure: Enclosure, layers: Layers) -> Iterator[Libvirt]:
    with Libvirt(enclosure.libvirt_uri) as connection:
        make_pool(connection)
        box = str(layers.path("box.img"))
        run(["qemu-img", "create", "-q", "-f", "qcow2", box, "1M"])
        words = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", box]
        run([*words, layers.path(volume_name(NAME))])
        connection.define_domain(DOMAIN)
        yield connection


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
    assert only(running).nics == 1
    assert only(running).state is DomainState.RUNNING
    for _ in range(2):
        running.suspend(NAME)
        assert only(running).state is DomainState.PAUSED
    for _ in range(2):
        running.resume(NAME)
        assert only(running).state is DomainState.RUNNING


def test_a_machine_loses_its_power_and_gets_it_back(running: Libvirt) -> None:
    for _ in range(2):
        running.power_off(NAME)
        assert only(running).state is DomainState.OFF
    for _ in range(2):
        running.power_on(NAME)
        assert only(running).state is DomainState.RUNNING


def test_a_saved_machine_lives_on_and_comes_back_paused(
    running: Libvirt, layers: Layers, tmp_path: Path
) -> None:
    running.suspend(NAME)
    running.save(NAME, tmp_path / "memory", disk_path(upper := layers.new_name(NAME)))
    assert only(running).state is DomainState.PAUSED
    assert running.disk(NAME) == disk_path(upper)
    assert layers.chain(upper) == (upper, volume_name(NAME))
    running.resume(NAME)
    for _ in range(2):
        again = layers.add(NAME, volume_name(NAME))
        running.restore(NAME, tmp_path / "memory", disk_path(again))
        assert only(running).state is DomainState.PAUSED
        assert running.disk(NAME) == disk_path(again)
        assert layers.chain(again) == (again, volume_name(NAME))


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ((libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_IOERROR), DomainState.STALLED),
        ((libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_USER), DomainState.PAUSED),
        ((libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_BOOTED), DomainState.RUNNING),
    ],
)
def test_who_stopped_a_machine_is_told_apart(
    connection: Libvirt, monkeypatch: pytest.MonkeyPatch, said: tuple[int, int], state: DomainState
) -> None:
    class Domain:
        def state(self) -> tuple[int, int]:
            return said

    monkeypatch.setattr(Libvirt, "_domain", lambda _self, _name: Domain())
    assert connection.state("any") is state


@pytest.mark.parametrize(
    ("state", "done"),
    [
        (libvirt.VIR_DOMAIN_PMSUSPENDED, ["woken"]),
        (libvirt.VIR_DOMAIN_PAUSED, ["resumed"]),
        (libvirt.VIR_DOMAIN_RUNNING, []),
    ],
)
def test_a_machine_that_sleeps_is_woken(
    connection: Libvirt, monkeypatch: pytest.MonkeyPatch, state: int, done: list[str]
) -> None:
    """As by `echo mem > /sys/power/state` inside; libvirt does not resume such a one."""
    did: list[str] = []

    class Domain:
        def state(self) -> tuple[int, int]:
            return state, 0

        def pMWakeup(self) -> None:  # noqa: N802
            did.append("woken")

        def resume(self) -> None:
            did.append("resumed")

    monkeypatch.setattr(Libvirt, "_domain", lambda _self, _name: Domain())
    connection.resume("any")
    assert did == done


def test_a_guest_without_an_agent_is_a_case_of_its_own(running: Libvirt) -> None:
    with pytest.raises(AgentSilentError, match=f"cannot set the time of {NAME}"):
        running.set_time(NAME, 1_700_000_000_000_000_000)


def test_a_missing_machine_is_explained(connection: Libvirt) -> None:
    with pytest.raises(LabError) as failed:
        connection.suspend("nobody")
    assert "cannot pause nobody" in str(failed.value)
    assert "Domain not found" in str(failed.value)


def test_nothing_answers_at_a_wrong_address() -> None:
    with pytest.raises(LabError, match="cannot reach libvirt"):
        Libvirt("qemu+unix:///system?socket=/nowhere/libvirt-sock")
