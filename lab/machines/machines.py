"""The virtual machines of one lab."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path

from lab.foundation.errors import LabError
from lab.foundation.files import write_atomically
from lab.foundation.paths import LabFolder
from lab.foundation.progress import StepContext
from lab.foundation.wait import Deadline, wait_for
from lab.host.enclosure import Enclosure
from lab.machines.base_volume import place_base_volume, register_box
from lab.machines.kept import KeptMachines
from lab.machines.leftovers import machine_folder, remove_half_made, remove_machines
from lab.machines.libvirt_api import AgentSilentError, DomainState, Libvirt
from lab.machines.networks import make_networks, make_pool
from lab.machines.vagrant import Vagrant, ready_machine, vagrant_home
from lab.machines.vagrantfile import MachineSettings, render_vagrantfile
from lab.supply.box.model import Box
from lab.topology.plan import Plan

AGENT_LIMIT = 60.0
"""Seconds until the guest agent of a machine that runs again must have answered."""


class MachineState(StrEnum):
    NOT_CREATED = "not created"
    RUNNING = "running"
    PAUSED = "paused"
    OFF = "off"


_FROM_DOMAIN = {
    DomainState.RUNNING: MachineState.RUNNING,
    DomainState.PAUSED: MachineState.PAUSED,
    DomainState.OFF: MachineState.OFF,
}


class Machines:
    """All nodes of a lab as virtual machines. What it says about them is read from libvirt each time."""

    def __init__(
        self, folder: LabFolder, plan: Plan, box: Box, settings: MachineSettings, enclosure: Enclosure
    ) -> None:
        self._folder = folder
        self._plan = plan
        self._box = box
        self._settings = settings
        self._enclosure = enclosure

    def prepare(self) -> None:
        """Networks, storage, the box and the Vagrantfile: all that `up` needs. The enclosure must run."""
        place_base_volume(self._box, self._enclosure.layout)
        with self._libvirt() as connection:
            make_networks(connection, self._plan)
            make_pool(connection)
        register_box(self._box, vagrant_home(self._folder))
        text = render_vagrantfile(self._plan, self._box, self._settings)
        write_atomically(self._folder.vagrantfile, text)

    def up(self, step: StepContext) -> None:
        """Make or start all machines side by side and wait until each answers by ssh.

        What an interrupted earlier attempt left half made is removed first, so calling it again mends that.
        """
        with self._libvirt() as connection:
            remove_half_made(connection, self._folder, self._plan)
        nodes = [node.name for node in self._plan.nodes]
        Vagrant(self._folder, self._enclosure, on_line=_ready_counter(step, len(nodes))).up(nodes)

    def states(self) -> Mapping[str, MachineState]:
        """The state of every node of the plan, by name."""
        if not self._enclosure.running:
            return {node.name: self._state_at_rest(node.name) for node in self._plan.nodes}
        with self._libvirt() as connection:
            found = {domain.name: _FROM_DOMAIN[domain.state] for domain in connection.domains()}
        return {node.name: found.get(node.name, MachineState.NOT_CREATED) for node in self._plan.nodes}

    def pause(self) -> None:
        """Stop all machines' processors; memory and disks stay as they are."""
        with self._libvirt() as connection:
            self._on_all(connection.suspend)

    def resume(self) -> None:
        """Let paused machines run on, with the right time."""
        with self._libvirt() as connection:
            self._go_on(connection)

    def snapshot(self, name: str) -> None:
        """Keep memory and disks of all machines as they are at one instant; they stand still meanwhile.

        Raises LabError when a machine does not run or `name` is taken; no partial snapshot is left.
        """
        self._require_running()
        with self._libvirt() as connection:
            if name in self._snapshots(connection):
                raise LabError(
                    f"there is a snapshot {name} already", resolution="remove it or take another name"
                )
            self._delete_partial(connection, name)
            try:
                self._on_all(connection.suspend)
                self._on_all(lambda node: connection.create_snapshot(node, name))
            except BaseException:
                self._delete_partial(connection, name)
                raise
            finally:
                self._on_all(connection.resume)

    def revert(self, name: str) -> None:
        """Bring all machines back to the instant of the snapshot, but with the present time."""
        with self._libvirt() as connection:
            if name not in self._snapshots(connection):
                known = ", ".join(self._snapshots(connection)) or "none"
                raise LabError(f"there is no snapshot {name} of all nodes", details=f"there are: {known}")
            self._on_all(lambda node: connection.revert_to_snapshot(node, name))
            self._go_on(connection)

    def snapshots(self) -> tuple[str, ...]:
        """Names of the snapshots that every machine has."""
        with self._libvirt() as connection:
            return self._snapshots(connection)

    def remove_snapshot(self, name: str) -> None:
        with self._libvirt() as connection:
            self._on_all(lambda node: connection.delete_snapshot(node, name))

    def keep(self, target: Path, snapshots: Collection[str]) -> None:
        """Copy all machines with these snapshots into the folder `target`; they stand still meanwhile.

        Raises LabError when a machine does not run or the disk is full.
        """
        self._require_running()
        kept = self._kept(target)
        with self._libvirt() as connection:
            try:
                # Standing still, a machine has written to its volume all that it knows of it.
                self._on_all(connection.suspend)
                self._on_all(lambda node: kept.write(connection, node, snapshots))
                kept.write_leases()
            finally:
                self._go_on(connection)

    def bring_back(self, source: Path, snapshots: Collection[str]) -> None:
        """Make networks and all machines, with these snapshots, from the folder that `keep` filled.

        The machines are off. Those that an interrupted earlier attempt left are removed first.
        """
        kept = self._kept(source)
        kept.read_leases()
        self.prepare()
        with self._libvirt() as connection:
            remove_machines(connection, self._folder, [node.name for node in self._plan.nodes])
            self._on_all(lambda node: kept.read(connection, node, snapshots))

    def _kept(self, root: Path) -> KeptMachines:
        return KeptMachines(root, self._folder, self._enclosure.layout, self._box)

    def _require_running(self) -> None:
        others = {node: state for node, state in self.states().items() if state is not MachineState.RUNNING}
        if others:
            raise LabError(
                "not all nodes are running",
                details=", ".join(f"{node} is {state.value}" for node, state in others.items()),
                resolution="run `lab up`, or `lab resume` if the lab is paused",
            )

    def _state_at_rest(self, node: str) -> MachineState:
        made = (machine_folder(self._folder, node) / "id").exists()
        return MachineState.OFF if made else MachineState.NOT_CREATED

    def _libvirt(self) -> Libvirt:
        return Libvirt(self._enclosure.libvirt_uri)

    def _snapshots(self, connection: Libvirt) -> tuple[str, ...]:
        common = frozenset.intersection(
            *(frozenset(connection.snapshots(node.name)) for node in self._plan.nodes)
        )
        return tuple(sorted(common))

    def _delete_partial(self, connection: Libvirt, name: str) -> None:
        for node in self._plan.nodes:
            if name in connection.snapshots(node.name):
                connection.delete_snapshot(node.name, name)

    def _go_on(self, connection: Libvirt) -> None:
        """Let machines that stand still run on, with the right time."""
        self._on_all(connection.resume)
        self._set_time(connection)

    def _set_time(self, connection: Libvirt) -> None:
        deadline = Deadline(AGENT_LIMIT)
        self._on_all(
            lambda node: wait_for(
                lambda: connection.set_time(node, int(time.time())),
                what=f"answer of the guest agent of {node}",
                deadline=deadline,
                interval=0.2,
                retry_on=(AgentSilentError,),
            )
        )

    def _on_all(self, action: Callable[[str], None]) -> None:
        with ThreadPoolExecutor(len(self._plan.nodes)) as pool:
            list(pool.map(action, [node.name for node in self._plan.nodes]))


def _ready_counter(step: StepContext, total: int) -> Callable[[str], None]:
    ready: set[str] = set()

    def on_line(line: str) -> None:
        node = ready_machine(line)
        if node is not None:
            ready.add(node)
            step.advance(len(ready), total)
        step.doing(line.removeprefix("==>").strip())

    return on_line
