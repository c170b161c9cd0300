"""The one place that speaks to libvirt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import libvirt
import libvirt_qemu

from lab.foundation.errors import LabError
from lab.foundation.wait import Deadline
from lab.machines.domain_xml import disk_of, snapshot_xml, taps_of, with_disk, with_plugin
from lab.machines.guest_agent import run_script


class DomainState(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    STALLED = "stalled"
    """Stopped by QEMU, as its disk could not be written."""
    OFF = "off"


# libvirt-domain.h, enum virDomainState; a domain that is shutting down, or waits for its host, still runs.
_STATES = {
    libvirt.VIR_DOMAIN_NOSTATE: DomainState.RUNNING,
    libvirt.VIR_DOMAIN_RUNNING: DomainState.RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: DomainState.RUNNING,
    libvirt.VIR_DOMAIN_SHUTDOWN: DomainState.RUNNING,
    libvirt.VIR_DOMAIN_PAUSED: DomainState.PAUSED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: DomainState.PAUSED,
    libvirt.VIR_DOMAIN_SHUTOFF: DomainState.OFF,
    libvirt.VIR_DOMAIN_CRASHED: DomainState.OFF,
}
AGENT_SILENT = (libvirt.VIR_ERR_AGENT_UNRESPONSIVE, libvirt.VIR_ERR_AGENT_UNSYNCED)
NANOSECONDS = 10**9
BUILD_ANEW = (
    "if QEMU was updated since the snapshot was taken, `lab down` and `lab up --cold` build the lab anew"
)
PROCESSOR_TIME = 4
"""Its place in virDomainInfo."""


class AgentSilentError(LabError):
    """The guest agent in a machine does not answer, or not yet."""


@dataclass(frozen=True)
class DomainFacts:
    """What libvirt says about one virtual machine."""

    name: str
    uuid: str
    state: DomainState
    nics: int


class Libvirt:
    """A connection to one libvirtd, which several threads may use at once, as libvirt allows."""

    def __init__(self, uri: str) -> None:
        """Raises LabError when nothing answers at `uri`."""
        libvirt.registerErrorHandler(lambda _context, _error: None, None)
        with _explained(f"cannot reach libvirt at {uri}"):
            self._connection = libvirt.open(uri)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Libvirt:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Networks

    def active_networks(self) -> frozenset[str]:
        with _explained("cannot list the networks"):
            return frozenset(
                network.name() for network in self._connection.listAllNetworks() if network.isActive()
            )

    def define_network(self, xml: str) -> None:
        """Define the network, or change its definition, and start it if it is not active."""
        with _explained("cannot define a network", details=xml):
            network = self._connection.networkDefineXML(xml)
            network.setAutostart(True)
            if not network.isActive():
                network.create()

    # Storage

    def define_pool(self, xml: str) -> None:
        """Define the storage pool if it is not there, and start and refresh it."""
        with _explained("cannot define the storage pool", details=xml):
            pool = self._connection.storagePoolDefineXML(xml)
            pool.setAutostart(True)
            if not pool.isActive():
                pool.build()
                pool.create()
            pool.refresh()

    def refresh_pool(self, pool: str) -> None:
        """Let libvirt see the volumes as they are on disk now."""
        with _explained(f"cannot refresh the pool {pool}"):
            self._connection.storagePoolLookupByName(pool).refresh()

    def volumes(self, pool: str) -> tuple[str, ...]:
        """Names of the volumes, as they are on disk now."""
        self.refresh_pool(pool)
        with _explained(f"cannot list the volumes of the pool {pool}"):
            return tuple(self._connection.storagePoolLookupByName(pool).listVolumes())

    # Domains

    def domains(self) -> tuple[DomainFacts, ...]:
        with _explained("cannot list the virtual machines"):
            return tuple(
                DomainFacts(
                    domain.name(),
                    domain.UUIDString(),
                    _state(domain),
                    domain.XMLDesc().count("<interface "),
                )
                for domain in self._connection.listAllDomains()
            )

    def processor_seconds(self) -> dict[str, float]:
        """The processor time that each machine has taken from the host since it was started, by its name."""
        with _explained("cannot read the processor time of the virtual machines"):
            return {
                domain.name(): domain.info()[PROCESSOR_TIME] / NANOSECONDS
                for domain in self._connection.listAllDomains()
            }

    def remove_domain(self, name: str) -> None:
        """Switch the machine off at once, if it runs, and forget it. Its volumes stay."""
        with _explained(f"cannot remove the virtual machine {name}"):
            domain = self._domain(name)
            if domain.isActive():
                domain.destroy()
            domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE)

    def domain_xml(self, name: str) -> str:
        """The machine's definition, as it will be at its next start."""
        with _explained(f"cannot read the definition of {name}"):
            return str(self._domain(name).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))

    def define_domain(self, xml: str) -> None:
        """Make the machine known, switched off."""
        with _explained("cannot define a virtual machine", details=xml):
            self._connection.defineXML(xml)

    def suspend(self, name: str) -> None:
        """Stop the machine's processors; nothing happens when they stand still already."""
        with _explained(f"cannot pause {name}"):
            domain = self._domain(name)
            if _state(domain) is DomainState.RUNNING:
                domain.suspend()

    def state(self, name: str) -> DomainState:
        with _explained(f"cannot read the state of {name}"):
            return _state(self._domain(name))

    def resume(self, name: str) -> None:
        """Let the machine go on, also one that went to sleep by itself; nothing happens when it runs."""
        with _explained(f"cannot resume {name}"):
            domain = self._domain(name)
            if domain.state()[0] == libvirt.VIR_DOMAIN_PMSUSPENDED:
                domain.pMWakeup()
            elif _state(domain) is not DomainState.RUNNING:
                domain.resume()

    def power_off(self, name: str) -> None:
        """Take the machine its power; nothing happens when it is off."""
        with _explained(f"cannot switch {name} off"):
            domain = self._domain(name)
            if domain.isActive():
                domain.destroy()

    def power_on(self, name: str) -> None:
        """Let the machine boot from its disk; nothing happens when it is not off."""
        with _explained(f"cannot switch {name} on"):
            domain = self._domain(name)
            if not domain.isActive():
                domain.create()

    def set_time(self, name: str, nanoseconds: int) -> None:
        """Set the clock inside the machine, through its guest agent, to `nanoseconds` since 1970 UTC.

        Raises AgentSilentError while the agent does not answer.
        """
        with _explained(f"cannot set the time of {name}"):
            seconds, rest = divmod(nanoseconds, NANOSECONDS)
            self._domain(name).setTime({"seconds": seconds, "nseconds": rest})

    def time(self, name: str) -> int:
        """What the clock inside the machine says, in nanoseconds since 1970 UTC.

        Raises AgentSilentError while its guest agent does not answer.
        """
        with _explained(f"cannot read the time of {name}"):
            told = self._domain(name).getTime()
            return int(told["seconds"]) * NANOSECONDS + int(told["nseconds"])

    def run_inside(self, name: str, script: str, deadline: Deadline) -> None:
        """Let bash in the machine run the script, through its guest agent.

        Raises AgentSilentError while the agent does not answer, LabError when the script fails.
        """
        with _explained(f"cannot run a script in {name}"):
            domain = self._domain(name)
            run_script(
                lambda command: str(
                    libvirt_qemu.qemuAgentCommand(
                        domain, command, libvirt_qemu.VIR_DOMAIN_QEMU_AGENT_COMMAND_DEFAULT, 0
                    )
                ),
                name,
                script,
                deadline,
            )

    def taps(self, name: str) -> tuple[str, ...]:
        """The devices of the lab's network on the host side that are the running machine's NICs."""
        with _explained(f"cannot read the NICs of {name}"):
            return taps_of(self._domain(name).XMLDesc())

    # Memory and disk of one machine

    def disk(self, name: str) -> str:
        """The file that the machine writes to, as libvirtd sees it."""
        return disk_of(self.domain_xml(name)).path

    def save(self, name: str, memory: Path, layer: str) -> None:
        """Save the memory of the machine, which stands still, into a new file; it lives on.

        From then on it writes to the new disk layer at the path `layer`; the one before changes no more.
        """
        flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC
        with _explained(f"cannot save {name}"):
            domain = self._domain(name)
            xml = snapshot_xml(disk_of(domain.XMLDesc()), str(memory), layer)
            domain.snapshotCreateXML(xml, flags)

    def restore(self, name: str, memory: Path, layer: str, plugin: str | None = None) -> None:
        """Let the machine be as its memory was saved, with the disk at the path `layer`; it is paused.

        What it was before, running or not, ends. Until it is restored or started again, it is emulated with
        the plugin, if there is one. Raises LabError when QEMU does not take the memory: another version of it
        may have saved that.
        """
        with _explained(f"cannot restore {name}", resolution=BUILD_ANEW):
            domain = self._domain(name)
            xml = with_disk(self.domain_xml(name), layer)
            if domain.isActive():
                domain.destroy()
            # Its next start from nothing has the same disk.
            self._connection.defineXML(xml)
            if plugin is not None:
                xml = with_plugin(xml, plugin)
            self._connection.restoreFlags(str(memory), xml, libvirt.VIR_DOMAIN_SAVE_PAUSED)

    def _domain(self, name: str) -> libvirt.virDomain:
        return self._connection.lookupByName(name)


def _state(domain: libvirt.virDomain) -> DomainState:
    state, reason = domain.state()
    if (state, reason) == (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_IOERROR):
        return DomainState.STALLED
    return _STATES[state]


@contextmanager
def _explained(brief: str, details: str | None = None, resolution: str | None = None) -> Iterator[None]:
    try:
        yield
    except libvirt.libvirtError as error:
        why = error.get_error_message() or str(error)
        kind = AgentSilentError if error.get_error_code() in AGENT_SILENT else LabError
        raise kind(brief, details=f"{why}\n{details}" if details else why, resolution=resolution) from error
