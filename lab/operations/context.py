"""A lab at hand: its folder, plan and record, and the parts of it that an operation works on."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from lab.cluster.api import ClusterApi
from lab.cluster.binaries.settings import for_units
from lab.cluster.binaries.work import Installation
from lab.cluster.kubeadm import Membership
from lab.cluster.pod_blocks import with_pod_blocks
from lab.cluster.secrets import ClusterSecrets, load_or_make_secrets
from lab.cluster.tuning import Settings, settings_of, tuning_of
from lab.doors.lan import RealLan
from lab.doors.outside import WayOut
from lab.doors.through import PullThrough
from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.paths import LabFolder, cache_root
from lab.foundation.progress import Progress
from lab.foundation.wait import Deadline
from lab.host.lan_host import LanHost
from lab.host.site import Site
from lab.machines.machines import Machines, MachineState
from lab.machines.vagrantfile import MachineSettings
from lab.modes.enforcer import images_needed
from lab.modes.install import arrange_mode
from lab.modes.mode import Images, Mode, ModeSetup
from lab.modes.registry import mode_named
from lab.nodes.keys import KeyFiles, LabKeys, load_or_make_keys
from lab.nodes.pool import Nodes
from lab.nodes.prepare import NodeNeeds
from lab.nodes.runtimes import ContainerRuntime, runtime_named
from lab.operations.parts import LocalParts, Parts
from lab.operations.planning import Chosen, plan_of
from lab.state.records import LabRecord, read_record, write_record
from lab.supply.box import Box, find_box
from lab.supply.cache import Cache
from lab.supply.lacking import lacking_images
from lab.supply.on_demand import names_on_demand
from lab.supply.software import image_name
from lab.topology.mode_choice import ModeChoice
from lab.topology.models import Runtime, Supply, Tuning
from lab.topology.plan import NodePlan, Plan

POD_BLOCKS_LIMIT = 180.0
"""Seconds; the controller manager gives a node its block as soon as it sees it."""


class Lab:
    """One lab while a command works on it, with the parts it was given."""

    def __init__(
        self, folder: LabFolder, record: LabRecord, plan: Plan, progress: Progress, parts: Parts
    ) -> None:
        self.folder = folder
        self.plan = plan
        self.progress = progress
        self._parts = parts
        self._record = record

    @classmethod
    def open(cls, folder: LabFolder, progress: Progress) -> Lab:
        """The lab of this host as it was made: from the topology and record in its folder.

        Raises LabError when `lab up` was ended before it wrote them.
        """
        record = read_record(folder)
        if record is None or not folder.topology.exists():
            raise LabError(
                f"the set-up of the lab {folder.name} never finished",
                resolution=f"run its lab up again, or lab down --name {folder.name}",
            )
        plan = plan_of(folder.topology, Chosen.of(record)).in_mode(ModeChoice.parse(record.mode))
        return cls(folder, record, plan, progress, LocalParts(folder))

    @property
    def site(self) -> Site:
        return self._parts.site

    def require_running(self) -> None:
        """Raises LabError when the lab's namespaces and machines are gone."""
        if not self.site.running:
            raise LabError(
                f"the lab {self.folder.name} is not running",
                resolution=f"lab up --topology {self.plan.topology} --name {self.folder.name}",
            )

    def require_awake(self) -> Mapping[str, MachineState]:
        """The states of its machines. Raises like `require_running`, and when they are all paused.

        Nothing on a node of a paused lab would answer.
        """
        self.require_running()
        states = self.machine_states()
        if set(states.values()) == {MachineState.PAUSED}:
            raise LabError(
                f"the lab {self.folder.name} is paused", resolution=f"lab resume --name {self.folder.name}"
            )
        return states

    def require_up(self) -> None:
        """Raises like `require_awake`, and when it has no cluster yet or none of its machines runs."""
        states = self.require_awake()
        if not self.folder.kubeconfig.exists() or MachineState.RUNNING not in states.values():
            raise LabError(
                f"the lab {self.folder.name} is not up",
                resolution=f"lab up --topology {self.plan.topology} --name {self.folder.name}",
            )

    def require_own_keys(self) -> None:
        """Raises LabError when its nodes may be opened by a key that others have too."""
        if not self.folder.known_hosts.exists():
            raise LabError(
                f"the nodes of the lab {self.folder.name} have no SSH keys of their own yet",
                resolution=f"lab up --topology {self.plan.topology} --name {self.folder.name}",
            )

    def require_images(self) -> None:
        """Raises WrongUseError when the lab's mode needs an image that the box lacks and the supply too."""
        self.require_images_of(mode_named(self.plan.mode))

    def require_images_of(self, mode: Mode) -> None:
        """The same for a mode that the lab might change to."""
        version, cache = self.plan.kubernetes.version, Cache()
        lacking = dict(Images(self.record.images).lacking(images_needed(self.plan, mode)))
        on_demand = lacking.keys() & names_on_demand(version)
        for name in on_demand:
            del lacking[name]
        mode.refuse_without(
            {**lacking, **lacking_images(version, sorted(on_demand), Supply(self.record.supply), cache)}
        )

    def require_able(self, choice: ModeChoice) -> None:
        """Raises WrongUseError when there is no such mode, or the lab cannot run in it."""
        mode = mode_named(choice.name)
        mode.check(self.plan.in_mode(choice))
        self.require_images_of(mode)

    def change_mode(self, choice: ModeChoice) -> None:
        """Let the lab be in that mode, not installed yet. Raises WrongUseError when it cannot run in it."""
        plan = plan_of(self.folder.topology, Chosen.of(self.record)).in_mode(choice)
        mode_named(choice.name).check(plan)
        self.plan = plan
        self.require_images()
        self.update(replace(self.record, mode=str(plan.choice), ready=False))

    def node_named(self, name: str) -> NodePlan:
        """Raises WrongUseError for a node that the lab does not have."""
        nodes = {node.name: node for node in self.plan.nodes}
        if name not in nodes:
            near = difflib.get_close_matches(name, nodes, n=1)
            raise WrongUseError(
                f"the lab {self.folder.name} has no node {name}",
                details=f"did you mean {near[0]}?" if near else None,
                resolution=f"use one of: {', '.join(nodes)}",
            )
        return nodes[name]

    @property
    def record(self) -> LabRecord:
        return self._record

    def update(self, record: LabRecord) -> None:
        """Take the new record and write it to disk."""
        self._record = record
        write_record(self.folder, record)

    @property
    def box(self) -> Box | None:
        """The box its machines are made from; None until it was built, or when it was removed."""
        return find_box(cache_root(), self.record.box_digest) if self.record.box_digest else None

    @property
    def on_demand(self) -> frozenset[str]:
        """Names of the images that the lab's mode needs and the box lacks, once the box is there."""
        needed = images_needed(self.plan, mode_named(self.plan.mode))
        return frozenset(Images(self.record.images).lacking(needed)) if self.record.images else frozenset()

    @property
    def archives_on_demand(self) -> Mapping[str, Path]:
        """The docker-archives in the cache, by reference, of those that were fetched."""
        cache = Cache()
        return {
            reference: cache.blob(digest)
            for reference, digest in self.record.images_on_demand.items()
            if image_name(reference) in self.on_demand
        }

    @property
    def images(self) -> Images:
        """All images that the nodes have, or will have before the mode is installed."""
        return Images((*self.record.images, *self.record.images_on_demand))

    @property
    def runtime(self) -> ContainerRuntime:
        return runtime_named(Runtime(self.record.runtime))

    @property
    def lan_host(self) -> LanHost | None:
        """The lab's third party on the underlay; None where the topology has none."""
        return self._parts.lan_host(self.plan)

    @property
    def lan_host_pid(self) -> int | None:
        lan_host = self.lan_host
        return lan_host.pid if lan_host and self.site.running else None

    @property
    def way_out(self) -> WayOut:
        """The door out of the lab, open or not."""
        return WayOut(self.site, self.folder)

    @property
    def pull_through(self) -> PullThrough:
        """The door for images that nodes pull, open or not."""
        return PullThrough(self.site, self.folder)

    @property
    def real_lan(self) -> RealLan:
        """The door to a real LAN, open or not."""
        return RealLan(self.site, self.folder)

    @property
    def emulated(self) -> bool:
        """Whether guests run without KVM, as far as is known."""
        return self.record.accelerator != "kvm"

    @property
    def tuning(self) -> Tuning:
        """How far the cluster's settings are from kubeadm's own, never `auto`."""
        return tuning_of(self.plan.kubernetes, emulated=self.emulated)

    @property
    def settings(self) -> Settings:
        """In what the cluster differs from kubeadm's own."""
        settings = settings_of(
            self.plan.kubernetes,
            self.runtime,
            emulated=self.emulated,
            control_planes=len(self.plan.control_planes),
        )
        return for_units(settings) if self.plan.from_binaries else settings

    @property
    def machines(self) -> Machines:
        """Raises LabError while there is no box to make them from."""
        box = self.box
        if box is None:
            raise LabError(
                f"the lab {self.folder.name} has no box for its machines",
                resolution=f"lab up --topology {self.plan.topology} --name {self.folder.name}",
            )
        settings = MachineSettings(
            driver="qemu" if self.emulated else "kvm",
            late_timers=self.tuning is Tuning.SLOW_HOST,
            counter_khz=self.record.counter_khz or None,
        )
        return self._parts.machines(self.plan, box, settings)

    def machine_states(self) -> Mapping[str, MachineState]:
        """The state of every node's machine, by node name."""
        if self.box is None:
            return {node.name: MachineState.NOT_CREATED for node in self.plan.nodes}
        return self.machines.states()

    @property
    def all_running(self) -> bool:
        return set(self.machine_states().values()) == {MachineState.RUNNING}

    @property
    def key_files(self) -> KeyFiles:
        return KeyFiles(self.folder.key, self.folder.known_hosts)

    @property
    def keys(self) -> LabKeys:
        """Its SSH keys, which are made when it has none yet."""
        return load_or_make_keys(self.key_files, (node.name for node in self.plan.nodes))

    @cached_property
    def nodes(self) -> Nodes:
        """Connections to the nodes."""
        return self._parts.nodes(self.plan)

    @property
    def node_needs(self) -> NodeNeeds:
        return NodeNeeds(self.runtime, self.record.images)

    @cached_property
    def secrets(self) -> ClusterSecrets:
        """Those of its cluster, which are made when it has none yet."""
        return load_or_make_secrets(self.folder.secrets)

    @cached_property
    def membership(self) -> Membership:
        return Membership(self.runtime, self.secrets, self.settings)

    @property
    def installation(self) -> Installation:
        """What the programs of a cluster from binaries are told."""
        return Installation(self.plan, self.membership, self.record.images)

    @cached_property
    def api(self) -> ClusterApi:
        """The API server. First used when there is a kubeconfig."""
        return self._parts.api()

    @property
    def mode_setup(self) -> ModeSetup:
        mode, plan = mode_named(self.plan.mode), self.plan
        if mode.needs_pod_blocks:
            plan = with_pod_blocks(plan, self.api, Deadline(POD_BLOCKS_LIMIT))
        return arrange_mode(mode, plan, self.images)
