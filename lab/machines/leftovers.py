"""What an interrupted `vagrant up` leaves half made."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from lab.foundation.paths import LabFolder
from lab.machines.libvirt_api import DomainFacts, Libvirt
from lab.machines.snapshots import Snapshots
from lab.topology.plan import NodePlan, Plan


def machine_folder(folder: LabFolder, node: str) -> Path:
    """Where Vagrant remembers a machine."""
    return folder.root / ".vagrant" / "machines" / node / "libvirt"


def remove_half_made(
    connection: Libvirt, folder: LabFolder, plan: Plan, snapshots: Snapshots
) -> tuple[str, ...]:
    """Remove machines that Vagrant and libvirt disagree about, or whose NICs are not all there.

    Returns the names of the nodes that are to be made anew after that, the ones never made included.
    """
    domains = {domain.name: domain for domain in connection.domains()}
    missing = tuple(node.name for node in plan.nodes if not _whole(domains.get(node.name), folder, node))
    remove_machines(connection, folder, missing, snapshots)
    return missing


def remove_machines(
    connection: Libvirt, folder: LabFolder, nodes: Collection[str], snapshots: Snapshots
) -> None:
    """Remove these machines, as far as they are there, with their disks and what Vagrant knows of them.

    A snapshot is of all machines at once, so none of the lab's stays.
    """
    if nodes:
        snapshots.remove_all()
    domains = {domain.name for domain in connection.domains()}
    for node in nodes:
        if node in domains:
            connection.remove_domain(node)
        shutil.rmtree(machine_folder(folder, node), ignore_errors=True)
    snapshots.layers.remove(snapshots.layers.of(nodes))


def _whole(domain: DomainFacts | None, folder: LabFolder, node: NodePlan) -> bool:
    try:
        known = (machine_folder(folder, node.name) / "id").read_text().strip()
    except FileNotFoundError:
        return False
    return domain is not None and domain.uuid == known and domain.nics == len(node.nics)
