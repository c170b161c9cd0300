"""The doors that a lab has from its `lab up` on."""

from __future__ import annotations

from dataclasses import dataclass

from lab.doors import outside, through
from lab.doors.lan import RealLan, require_joinable
from lab.foundation.paths import LabFolder
from lab.host.site import Site
from lab.operations.doors.node_proxies import NodeProxies
from lab.operations.doors.outside import DoorOut
from lab.operations.doors.pull_through import ThroughOpen
from lab.operations.doors.real_lan import LanOpen
from lab.operations.steps import Step
from lab.topology.models import Outside, Topology
from lab.topology.plan import Plan


@dataclass(frozen=True)
class WantedDoors:
    """What is wanted of them, by the topology or on the command line."""

    outside: bool = False
    """Open the door out, unless it is open."""
    pull_through: bool = False
    """Let nodes pull images by way of this host."""
    host_nic: str | None = None
    """The device of this host that is to be a port of the underlay."""

    def with_those_of(self, topology: Topology) -> WantedDoors:
        return WantedDoors(
            self.outside or topology.outside is Outside.NAT,
            self.pull_through or topology.pull_through,
            self.host_nic or topology.host_nic,
        )

    def require_programs(self) -> None:
        """Raises LabError that names the packages of what is not installed."""
        if self.outside:
            outside.require_programs()
        if self.pull_through:
            through.require_programs()

    def require_lan(self, plan: Plan, site: Site, folder: LabFolder) -> None:
        """Raises LabError and WrongUseError for a device that cannot be joined now, unless it is."""
        if self.host_nic is not None and RealLan(site, folder).opening is None:
            require_joinable(plan, self.host_nic)

    @property
    def steps(self) -> tuple[Step, ...]:
        """What opens them; pull-through that is open already is mended too."""
        return (
            ThroughOpen(if_open=not self.pull_through),
            *([LanOpen(self.host_nic)] if self.host_nic is not None else []),
            *([DoorOut()] if self.outside else []),
            NodeProxies(),
        )


NO_DOORS = WantedDoors()
