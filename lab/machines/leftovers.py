"""What an interrupted `vagrant up` leaves half made."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from lab.foundation.paths import LabFolder
from lab.machines.libvirt_api import DomainFacts, Libvirt
from lab.machines.networks import POOL
from lab.topology.plan import NodePlan, Plan


def machine_folder(folder: LabFolder, node: str) -> Path:
    """Where Vagrant remembers a machine."""
    return folder.root / ".vagrant" / "machines" / node / "libvirt"


def volume_name(node: str) -> str:
    """The machine's disk, as vagrant-libvirt names it when the domain has no prefix."""
    return f"{node}.img"


def remove_half_made(connection: Libvirt, folder: LabFolder, plan: Plan) -> tuple[str, ...]:
    """Remove machines that Vagrant and libvirt disagree about, or whose NICs are not all there.

    Returns the names of the nodes that are to be made anew after that, the ones never made included.
    """
    domains = {domain.name: domain for domain in connection.domains()}
    missing = tuple(node.name for node in plan.nodes if not _whole(domains.get(node.name), folder, node))
    remove_machines(connection, folder, missing)
    return missing


def remove_machines(connection: Libvirt, folder: LabFolder, nodes: Iterable[str]) -> None:
    """Remove these machines, as far as they are there, with their disks and what Vagrant knows of them."""
    domains = {domain.name for domain in connection.domains()}
    volumes = connection.volumes(POOL)
    for node in nodes:
        if node in domains:
            connection.remove_domain(node)
        if volume_name(node) in volumes:
            connection.delete_volume(POOL, volume_name(node))
        shutil.rmtree(machine_folder(folder, node), ignore_errors=True)


def _whole(domain: DomainFacts | None, folder: LabFolder, node: NodePlan) -> bool:
    try:
        known = (machine_folder(folder, node.name) / "id").read_text().strip()
    except FileNotFoundError:
        return False
    return domain is not None and domain.uuid == known and domain.nics == len(node.nics)
