"""Stand-ins for what a lab is given from outside."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from lab.cluster.api import ClusterApi
from lab.foundation.paths import LabFolder, cache_root
from lab.host.lan_host import LanHost
from lab.host.layout import EnclosureLayout
from lab.host.site import Site
from lab.machines.machines import Machines
from lab.machines.vagrantfile import MachineSettings
from lab.nodes.pool import Nodes
from lab.supply.box.model import Box, box_folder, write_record
from lab.topology.models import Runtime
from lab.topology.plan import Plan


@dataclass
class Here:
    """The site of a lab whose network is that of this process."""

    folder: LabFolder = field(default_factory=lambda: LabFolder(Path("/nowhere/a")))
    running: bool = True
    serving: bool = True
    init_pid: int | None = None
    libvirt_uri: str = "test:///default"

    @property
    def layout(self) -> EnclosureLayout:
        return EnclosureLayout.of(self.folder)

    def start(self) -> None:
        self.running = self.serving = True

    def network_command(self, words: Sequence[str]) -> list[str]:
        return list(words)

    def hosted_command(self, words: Sequence[str]) -> list[str]:
        return list(words)

    def tied_command(self, words: Sequence[str]) -> list[str]:
        return list(words)

    def shell_line(self, line: str) -> str:
        return line

    def connect(self, address: str, port: int, seconds: float | None) -> socket.socket:
        return socket.create_connection((address, port), timeout=seconds)

    def listen(self, address: str) -> socket.socket:
        return socket.create_server((address, 0))


@dataclass
class PaperParts:
    """The parts of a lab on paper: those of a running lab that a test needs, made by the test.

    Without `made_machines`, the machines are real ones that nobody has made yet.
    """

    folder: LabFolder
    made_machines: object = None
    made_nodes: object = None
    made_api: object = None
    running: bool = True

    @property
    def site(self) -> Site:
        return Here(self.folder, self.running)

    def machines(self, plan: Plan, box: Box, settings: MachineSettings) -> Machines:
        return cast(Machines, self.made_machines or Machines(self.folder, plan, box, settings, self.site))

    def nodes(self, plan: Plan) -> Nodes:
        return cast(Nodes, self.made_nodes)

    def api(self) -> ClusterApi:
        return cast(ClusterApi, self.made_api)

    def lan_host(self, plan: Plan) -> LanHost | None:
        return None


def put_box(digest: str) -> None:
    """Put a box on paper into the cache."""
    folder = box_folder(cache_root(), digest)
    folder.mkdir(parents=True)
    write_record(Box("lab", "1.1", folder, "", 20, Runtime.CONTAINERD, "v1.24.10", digest, {}), folder)
