"""Machines with their snapshots as files that another lab of the same plan can start from.

Memory and disks are those of the snapshots and are shared, not copied. Beside them lies what libvirt and
Vagrant know of a machine. Paths of the lab that it came from are replaced by words, which become the paths of
the lab that it goes to.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from lab.foundation.paths import LabFolder
from lab.host.layout import EnclosureLayout
from lab.machines.layers import Layers
from lab.machines.leftovers import machine_folder
from lab.machines.libvirt_api import Libvirt
from lab.machines.snapshots import Snapshots
from lab.supply.box.model import Box

DOMAIN = "domain.xml"
VAGRANT = "vagrant"
LAYERS = "layers"
SNAPSHOTS = "snapshots"
LEASES = "*.status"
CAPABILITIES = "*.xml"
OF_ONE_LAB = ("index_uuid",)
"""Files of Vagrant's that name an entry in the machine index of one VAGRANT_HOME."""


class KeptMachines:
    """Machines kept below `root`."""

    def __init__(self, root: Path, folder: LabFolder, layout: EnclosureLayout, box: Box) -> None:
        self._root = root
        self._folder = folder
        self._layout = layout
        self._paths: Mapping[str, str] = {"@LAB@": str(folder.root), "@BOX@": str(box.folder)}

    @property
    def snapshots(self) -> Snapshots:
        return Snapshots(self._root / SNAPSHOTS, Layers(self._root / LAYERS))

    def write(self, connection: Libvirt, nodes: Iterable[str]) -> None:
        """What libvirt and Vagrant know of these machines. Raises OSError when the disk is full."""
        for node in nodes:
            target = self._root / node
            target.mkdir(parents=True)
            (target / DOMAIN).write_text(self._without_paths(connection.domain_xml(node)))
            vagrant = machine_folder(self._folder, node)
            shutil.copytree(vagrant, target / VAGRANT, ignore=shutil.ignore_patterns(*OF_ONE_LAB))
        for path in (*self._layout.leases.glob(LEASES), *self._layout.capabilities.glob(CAPABILITIES)):
            shutil.copy2(path, self._root / path.name)

    def remind_libvirt(self) -> None:
        """Tell libvirt the machines' addresses, for which they will not ask again, and what qemu can do."""
        for folder, pattern in ((self._layout.leases, LEASES), (self._layout.capabilities, CAPABILITIES)):
            folder.mkdir(parents=True, exist_ok=True)
            for path in self._root.glob(pattern):
                shutil.copy2(path, folder / path.name)

    def read(self, connection: Libvirt, nodes: Iterable[str]) -> None:
        """Make these machines in the lab, switched off, without their disks.

        Vagrant's word for each comes last: without it, the machine counts as half made.
        """
        # qemu makes the file of a machine's console, but not the folder for it.
        self._folder.logs.mkdir(parents=True, exist_ok=True)
        for node in nodes:
            source = self._root / node
            connection.define_domain(self._with_paths((source / DOMAIN).read_text()))
            shutil.copytree(source / VAGRANT, machine_folder(self._folder, node), dirs_exist_ok=True)

    def _without_paths(self, text: str) -> str:
        for word, path in self._paths.items():
            text = text.replace(path, word)
        return text

    def _with_paths(self, text: str) -> str:
        for word, path in self._paths.items():
            text = text.replace(word, path)
        return text
