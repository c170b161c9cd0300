"""The plan of a topology file, with what `lab up` was told in place of the topology's own."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from lab.cluster.proxy import require_proxy, require_unit
from lab.state.records import LabRecord
from lab.supply.catalogue import full_version
from lab.topology.loader import load_topology
from lab.topology.models import Installer, KubeProxy, PolicyEnforcer, Topology
from lab.topology.plan import Plan
from lab.topology.planner import make_plan


@dataclass(frozen=True)
class Chosen:
    """What a lab has in place of its topology's own; empty where it has that."""

    kubernetes: str = ""
    kube_proxy: str = ""
    policy: str = ""
    installer: str = ""

    @classmethod
    def of(cls, record: LabRecord) -> Chosen:
        """What is on record; a `lab` that knew only the topology's own wrote nothing down."""
        return cls(record.kubernetes, record.kube_proxy, record.policy, record.installer)

    @classmethod
    def of_plan(cls, plan: Plan) -> Chosen:
        """All of it, the topology's own too."""
        has = plan.kubernetes
        return cls(has.version, has.kube_proxy.value, has.policy.value, has.installer.value)


THE_TOPOLOGYS = Chosen()


def plan_of(
    source: Path, chosen: Chosen = THE_TOPOLOGYS, *, known_modes: Collection[str] | None = None
) -> Plan:
    """The plan of the file, with what is chosen in place of the topology's own.

    Raises TopologyError with all that is wrong with the file, WrongUseError for a version that the catalogue
    does not have, and for a kube-proxy that this version or installer does not have.
    """
    return plan_with(load_topology(source, known_modes=known_modes), chosen)


def plan_with(topology: Topology, chosen: Chosen = THE_TOPOLOGYS) -> Plan:
    """The same for a topology that was read already."""
    plan = make_plan(topology)
    plan = plan.of_version(full_version(chosen.kubernetes or plan.kubernetes.version))
    if chosen.kube_proxy:
        plan = plan.with_kube_proxy(KubeProxy(chosen.kube_proxy))
    if chosen.policy:
        plan = plan.with_policy(PolicyEnforcer(chosen.policy))
    if chosen.installer:
        plan = plan.by(Installer(chosen.installer))
    require_proxy(plan.kubernetes)
    require_unit(plan.kubernetes)
    return plan
