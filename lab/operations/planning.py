"""The plan of a topology file with a version of Kubernetes that the catalogue has."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from lab.supply.catalogue import full_version
from lab.topology.loader import load_topology
from lab.topology.models import Topology
from lab.topology.plan import Plan
from lab.topology.planner import make_plan


def plan_of(source: Path, version: str | None = None, *, known_modes: Collection[str] | None = None) -> Plan:
    """The plan of the file, for `version` in place of the topology's own.

    Raises TopologyError with all that is wrong with the file, WrongUseError for an unknown version.
    """
    return plan_with(load_topology(source, known_modes=known_modes), version)


def plan_with(topology: Topology, version: str | None = None) -> Plan:
    """The same for a topology that was read already."""
    plan = make_plan(topology)
    return plan.of_version(full_version(version or plan.kubernetes.version))
