"""The virtual machines of one lab."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from lab.foundation.errors import LabError
from lab.foundation.files import write_atomically
from lab.foundation.paths import LabFolder
from lab.foundation.progress import StepContext
from lab.foundation.wait import Deadline, wait_for
from lab.host.site import Site
from lab.machines.base_volume import base_volume_name, place_base_volume, register_box
from lab.machines.domain_xml import with_disk
from lab.machines.kept import KeptMachines
from lab.machines.layers import Layers, disk_path, freeze
from lab.machines.leftovers import machine_folder, remove_half_made, remove_machines
from lab.machines.libvirt_api import NANOSECONDS, AgentSilentError, DomainState, Libvirt
from lab.machines.networks import POOL, make_networks, make_pool
from lab.machines.snapshots import Snapshot, Snapshots, memory_file, write_manifest
from lab.machines.vagrant import Vagrant, ready_machine, vagrant_home
from lab.machines.vagrantfile import MachineSettings, render_vagrantfile
from lab.supply.box.model import Box
from lab.topology.plan import Plan

T = TypeVar("T")

AGENT_LIMIT = 60.0
"""Seconds until the guest agent of a machine that runs again must have answered."""


class MachineState(StrEnum):
    NOT_CREATED = "not created"
    RUNNING = "running"
    PAUSED = "paused"
    STALLED = "stalled"
    """It was stopped as the host's disk is full."""
    OFF = "off"


@dataclass(frozen=True)
class Return:
    """All machines are as they were at an instant."""

    snapshot: Snapshot
    leap: float
    """Seconds by which their clocks have leapt ahead since."""


_FROM_DOMAIN = {
    DomainState.RUNNING: MachineState.RUNNING,
    DomainState.PAUSED: MachineState.PAUSED,
    DomainState.STALLED: MachineState.STALLED,
    DomainState.OFF: MachineState.OFF,
}


class Machines:
    """All nodes of a lab as virtual machines. What it says about them is read from libvirt each time."""

    def __init__(
        self, folder: LabFolder, plan: Plan, box: Box, settings: MachineSettings, site: Site
    ) -> None:
        self._folder = folder
        self._plan = plan
        self._box = box
        self._settings = settings
        self._site = site
        self._nodes = tuple(node.name for node in plan.nodes)
        self._layers = Layers(site.layout.images)
        self.store = Snapshots(folder.snapshots, self._layers)
        """The snapshots as files."""

    def prepare(self) -> None:
        """Networks, storage, the box and the Vagrantfile: all that `up` needs. The site must run."""
        place_base_volume(self._box, self._site.layout)
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
            remove_half_made(connection, self._folder, self._plan, self.store)
        on_line = _ready_counter(step, len(self._nodes))
        Vagrant(self._folder, self._site, on_line).up(self._nodes)

    def states(self) -> Mapping[str, MachineState]:
        """The state of every node of the plan, by name."""
        if not self._site.running:
            return {node: self._state_at_rest(node) for node in self._nodes}
        with self._libvirt() as connection:
            found = {domain.name: _FROM_DOMAIN[domain.state] for domain in connection.domains()}
        return {node: found.get(node, MachineState.NOT_CREATED) for node in self._nodes}

    def pause(self) -> None:
        """Stop all machines' processors; memory and disks stay as they are."""
        with self._libvirt() as connection:
            self._on_all(connection.suspend)

    def resume(self) -> float:
        """Let paused machines run on, with the right time; the seconds by which their clocks leap ahead.

        Raises LabError when one stops again, as its disk cannot be written.
        """
        with self._libvirt() as connection:
            return self._go_on(connection)

    def set_time(self) -> None:
        """Give all machines the present time. Raises TimedOutError when a guest agent is silent."""
        with self._libvirt() as connection:
            self._set_time(connection)

    def power_off(self, node: str) -> None:
        """Take one machine its power, as if its plug were pulled; its disk stays."""
        with self._libvirt() as connection:
            connection.power_off(node)

    def power_on(self, node: str) -> None:
        """Let one machine that is off boot; returns before it has."""
        with self._libvirt() as connection:
            connection.power_on(node)

    def make_anew(self, node: str) -> None:
        """Let one machine boot from an empty disk on top of the box's; returns before it has.

        Its definition stays: name, NICs and identity are those of the plan. What was on its disk is kept
        where a snapshot needs it, and is lost else.
        """
        with self._libvirt() as connection:
            connection.power_off(node)
            layer = self._layers.add(node, below=base_volume_name(self._box))
            connection.define_domain(with_disk(connection.domain_xml(node), disk_path(layer)))
            self._sweep(connection)
            connection.power_on(node)

    def snapshot(self, name: str, beside: Iterable[Path] = ()) -> None:
        """Keep memory and disks of all machines as they are at one instant; they stand still meanwhile.

        Copies of the files `beside` belong to the snapshot. Raises LabError when a machine does not run or
        `name` is taken; no partial snapshot is left.
        """
        self._require_running()
        if self.store.find(name) is not None:
            raise LabError(f"there is a snapshot {name} already", resolution="remove it or take another name")
        with self._libvirt() as connection:
            try:
                self._on_all(connection.suspend)
                with self.store.adding(name, beside) as folder:
                    layers = self._on_all(lambda node: self._freeze(connection, node, folder))
                    write_manifest(folder, name, layers)
            finally:
                self._go_on(connection)
            self._sweep(connection)

    def revert(self, name: str, plugins: Mapping[str, str] | None = None) -> Return:
        """Bring all machines back to the instant of the snapshot, but with the present time.

        `plugins`, by node, are those of QEMU's emulator that a machine has until it is brought back again.
        """
        snapshot = self.store.find(name)
        if snapshot is None:
            known = ", ".join(self.snapshots()) or "none"
            raise LabError(f"there is no snapshot {name} of all nodes", details=f"there are: {known}")
        with self._libvirt() as connection:
            self._on_all(lambda node: self._restore(connection, node, snapshot, (plugins or {}).get(node)))
            leap = self._go_on(connection)
            self._sweep(connection)
        return Return(snapshot, leap)

    def run_inside(self, scripts: Mapping[str, str], seconds: float = AGENT_LIMIT) -> None:
        """Let bash in each machine run its script, by node, side by side, through the guest agents.

        Raises TimedOutError when a guest agent is silent for so long, LabError when a script fails.
        """
        deadline = Deadline(seconds)
        with self._libvirt() as connection:
            self._on_all(
                lambda node: wait_for(
                    lambda: connection.run_inside(node, scripts[node], deadline),
                    what=f"answer of the guest agent of {node}",
                    deadline=deadline,
                    interval=0.05,
                    retry_on=(AgentSilentError,),
                )
            )

    def taps(self, node: str) -> tuple[str, ...]:
        """The devices on the host side that are the NICs of the node, which runs."""
        with self._libvirt() as connection:
            return connection.taps(node)

    def snapshots(self) -> tuple[str, ...]:
        """Names of the snapshots that can be brought back."""
        return tuple(snapshot.name for snapshot in self.store.all())

    def snapshots_by_age(self) -> tuple[str, ...]:
        """The same names, that of the one taken first at the front."""
        return tuple(snapshot.name for snapshot in sorted(self.store.all(), key=lambda each: each.taken))

    def remove_snapshot(self, name: str) -> None:
        self.store.remove(name)
        with self._libvirt() as connection:
            self._sweep(connection)

    def keep(self, target: Path, snapshots: Iterable[str]) -> None:
        """Keep these snapshots, and what makes machines of them, in the folder `target`.

        Raises OSError when the disk is full.
        """
        kept = self._kept(target)
        with self._libvirt() as connection:
            kept.write(connection, self._nodes)
        for name in snapshots:
            self.store.link(name, kept.snapshots)

    def take_over(self, source: Path, snapshot: str) -> None:
        """Have that snapshot too, from the folder that `keep` filled for machines of the same cluster."""
        self._kept(source).snapshots.link(snapshot, self.store)

    def bring_back(self, source: Path, snapshots: Iterable[str]) -> None:
        """Make networks and all machines, with these snapshots, from the folder that `keep` filled.

        The machines are off, and run when one of the snapshots is brought back. Those that an interrupted
        earlier attempt left are removed first.
        """
        kept = self._kept(source)
        kept.remind_libvirt()
        self.prepare()
        with self._libvirt() as connection:
            remove_machines(connection, self._folder, self._nodes, self.store)
            for name in snapshots:
                kept.snapshots.link(name, self.store)
            kept.read(connection, self._nodes)

    def _freeze(self, connection: Libvirt, node: str, folder: Path) -> tuple[str, ...]:
        """Save the machine's memory and let it write to a new layer; returns those below."""
        frozen = Path(connection.disk(node)).name
        connection.save(node, memory_file(folder, node), disk_path(self._layers.new_name(node)))
        freeze(self._layers.path(frozen))
        return self._layers.chain(frozen)

    def _restore(self, connection: Libvirt, node: str, snapshot: Snapshot, plugin: str | None) -> None:
        layer = self._layers.add(node, below=snapshot.layers[node][0])
        connection.restore(node, snapshot.memory(node), disk_path(layer), plugin)

    def _sweep(self, connection: Libvirt) -> None:
        """Remove the layers that neither a snapshot nor a machine needs, and what was left unfinished."""
        self.store.sweep()
        needed = {layer for snapshot in self.store.all() for layer in snapshot.all_layers}
        for node in self._nodes:
            needed.update(self._layers.chain(Path(connection.disk(node)).name))
        self._layers.remove(self._layers.of(self._nodes) - needed)
        connection.refresh_pool(POOL)

    def _kept(self, root: Path) -> KeptMachines:
        return KeptMachines(root, self._folder, self._site.layout, self._box)

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
        return Libvirt(self._site.libvirt_uri)

    def _go_on(self, connection: Libvirt) -> float:
        """Let machines that stand still run on, with the right time; the seconds that they have missed."""
        self._on_all(connection.resume)
        return self._set_time(connection)

    def _set_time(self, connection: Libvirt) -> float:
        deadline = Deadline(AGENT_LIMIT)
        leaps = self._on_all(
            lambda node: wait_for(
                lambda: self._set_time_of(connection, node),
                what=f"answer of the guest agent of {node}",
                deadline=deadline,
                interval=0.05,
                retry_on=(AgentSilentError,),
            )
        )
        return max(leaps.values())

    def _set_time_of(self, connection: Libvirt, node: str) -> float:
        if connection.state(node) is DomainState.STALLED:
            raise LabError(
                f"the machine of {node} stands still: its disk cannot be written",
                details=f"its disk is in {self._folder.root}",
                resolution="make room there, then run `lab resume`",
            )
        before, now = connection.time(node), time.time_ns()
        connection.set_time(node, now)
        return (now - before) / NANOSECONDS

    def _on_all(self, action: Callable[[str], T]) -> dict[str, T]:
        """Do it for all machines side by side; what it returned, by the machine's name."""
        with ThreadPoolExecutor(len(self._nodes)) as pool:
            return dict(zip(self._nodes, pool.map(action, self._nodes), strict=True))


def _ready_counter(step: StepContext, total: int) -> Callable[[str], None]:
    ready: set[str] = set()

    def on_line(line: str) -> None:
        node = ready_machine(line)
        if node is not None:
            ready.add(node)
            step.advance(len(ready), total)
        step.doing(line.removeprefix("==>").strip())

    return on_line
