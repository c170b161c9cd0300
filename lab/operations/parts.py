"""What a lab is worked on with: its site, machines, connections and API server."""

from __future__ import annotations

from typing import Protocol

from lab.cluster.api import ClusterApi
from lab.foundation.paths import LabFolder
from lab.host.enclosure import Enclosure
from lab.host.lan_host import LanHost
from lab.host.site import Site
from lab.machines.machines import Machines
from lab.machines.vagrantfile import MachineSettings
from lab.nodes.keys import KeyFiles
from lab.nodes.pool import Nodes
from lab.supply.box import Box
from lab.topology.plan import Plan


class Parts(Protocol):
    """Makes the parts of one lab; none of them connects to anything before it is used."""

    @property
    def site(self) -> Site: ...

    def machines(self, plan: Plan, box: Box, settings: MachineSettings) -> Machines: ...

    def nodes(self, plan: Plan) -> Nodes: ...

    def api(self) -> ClusterApi:
        """Raises LabError while the lab has no kubeconfig that can be read."""
        ...

    def lan_host(self, plan: Plan) -> LanHost | None:
        """The third party on the underlay; None where the topology has none."""
        ...


class LocalParts:
    """Of a lab in namespaces of this host."""

    def __init__(self, folder: LabFolder) -> None:
        """Raises LabError when the folder's path is too long for a socket in it."""
        self._folder = folder
        self._enclosure = Enclosure(folder)

    @property
    def site(self) -> Site:
        return self._enclosure

    def machines(self, plan: Plan, box: Box, settings: MachineSettings) -> Machines:
        return Machines(self._folder, plan, box, settings, self.site)

    def nodes(self, plan: Plan) -> Nodes:
        return Nodes(plan, KeyFiles(self._folder.key, self._folder.known_hosts), self.site)

    def api(self) -> ClusterApi:
        return ClusterApi(self._folder.kubeconfig, self.site)

    def lan_host(self, plan: Plan) -> LanHost | None:
        underlay = plan.underlay
        return LanHost(self.site, plan) if underlay and underlay.lan_host else None
