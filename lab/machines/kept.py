"""Machines with their snapshots as files that another lab of the same plan can start from.

A machine is its volume, whose snapshots hold disk and memory, and what libvirt and Vagrant know of it. Paths
of the lab that it came from are replaced by words, which become the paths of the lab that it goes to.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from lab.foundation.paths import LabFolder
from lab.foundation.process import run
from lab.host.layout import EnclosureLayout
from lab.machines.leftovers import machine_folder, volume_name
from lab.machines.libvirt_api import Libvirt
from lab.supply.box.model import Box

DOMAIN = "domain.xml"
SNAPSHOT_SUFFIX = ".snapshot.xml"
VAGRANT = "vagrant"
LEASES = "*.status"
OF_ONE_LAB = ("index_uuid",)
"""Files of Vagrant's that name an entry in the machine index of one VAGRANT_HOME."""


class KeptMachines:
    """Machines kept below `root`, one folder for each node."""

    def __init__(self, root: Path, folder: LabFolder, layout: EnclosureLayout, box: Box) -> None:
        self._root = root
        self._folder = folder
        self._layout = layout
        self._paths: Mapping[str, str] = {"@LAB@": str(folder.root), "@BOX@": str(box.folder)}

    def write(self, connection: Libvirt, node: str, snapshots: Iterable[str]) -> None:
        """Copy the machine, which stands still, with these snapshots of it.

        Raises LabError when the disk is full.
        """
        target = self._root / node
        target.mkdir(parents=True)
        _copy(self._layout.images / volume_name(node), target / volume_name(node))
        (target / DOMAIN).write_text(self._without_paths(connection.domain_xml(node)))
        for name in snapshots:
            text = self._without_paths(connection.snapshot_xml(node, name))
            (target / f"{name}{SNAPSHOT_SUFFIX}").write_text(text)
        vagrant = machine_folder(self._folder, node)
        shutil.copytree(vagrant, target / VAGRANT, ignore=shutil.ignore_patterns(*OF_ONE_LAB))

    def write_leases(self) -> None:
        """Copy what libvirt knows of the machines' addresses."""
        for path in sorted(self._layout.leases.glob(LEASES)):
            shutil.copy2(path, self._root / path.name)

    def read_leases(self) -> None:
        """Let libvirt know the machines' addresses, which they will not ask for again."""
        self._layout.leases.mkdir(parents=True, exist_ok=True)
        for path in sorted(self._root.glob(LEASES)):
            shutil.copy2(path, self._layout.leases / path.name)

    def read(self, connection: Libvirt, node: str, snapshots: Iterable[str]) -> None:
        """Make the machine in the lab, switched off, with these of its snapshots.

        Vagrant's word for it comes last: without it, the machine counts as half made.
        """
        source = self._root / node
        # qemu makes the file of a machine's console, but not the folder for it.
        self._folder.logs.mkdir(parents=True, exist_ok=True)
        _copy(source / volume_name(node), self._layout.images / volume_name(node))
        connection.define_domain(self._with_paths((source / DOMAIN).read_text()))
        for name in snapshots:
            text = (source / f"{name}{SNAPSHOT_SUFFIX}").read_text()
            connection.define_snapshot(node, self._with_paths(text))
        shutil.copytree(source / VAGRANT, machine_folder(self._folder, node), dirs_exist_ok=True)

    def _without_paths(self, text: str) -> str:
        for word, path in self._paths.items():
            text = text.replace(path, word)
        return text

    def _with_paths(self, text: str) -> str:
        for word, path in self._paths.items():
            text = text.replace(word, path)
        return text


def _copy(source: Path, target: Path) -> None:
    run(["cp", "--reflink=auto", source, target])
