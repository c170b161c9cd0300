"""Topologies without a lab: checked, planned, rendered."""

from __future__ import annotations

from lab.foundation.paths import cache_root
from lab.machines.vagrantfile import MachineSettings, render_vagrantfile
from lab.modes.registry import mode_named, mode_names
from lab.operations.planning import plan_of
from lab.supply.box.inputs import VIRTUAL_SIZE_GIB
from lab.supply.box.model import KERNEL_ARGUMENTS, Box, boxes_root
from lab.topology.loader import find_topology
from lab.topology.plan import Plan

DIGEST = "DIGEST"


def checked_plan(topology: str) -> Plan:
    """The plan of a topology given by name or file. Raises TopologyError with all that is wrong."""
    plan = plan_of(find_topology(topology), known_modes=mode_names())
    mode_named(plan.mode).check(plan)
    return plan


def rendered_vagrantfile(topology: str) -> str:
    """The Vagrantfile of a topology, as `lab up` writes it for emulated guests.

    The word DIGEST stands for the digest of the box, which is known only when its software is.
    """
    plan = checked_plan(topology)
    version = plan.kubernetes.version
    box = Box(
        name=f"lab-{version}",
        version=DIGEST,
        folder=boxes_root(cache_root()) / DIGEST,
        kernel_arguments=KERNEL_ARGUMENTS,
        virtual_size_gib=VIRTUAL_SIZE_GIB,
        runtime=plan.kubernetes.runtime,
        kubernetes_version=version,
        digest=DIGEST,
        packages={},
    )
    return render_vagrantfile(plan, box, MachineSettings(driver="qemu"))
