"""`lab supply probe`: whether the sources of the software have what a lab needs."""

from __future__ import annotations

from dataclasses import dataclass

from lab.foundation.errors import WrongUseError
from lab.foundation.progress import Progress
from lab.modes.registry import mode_named, mode_names
from lab.operations.planning import plan_with
from lab.operations.software import DEFAULT_VERSION, supply_named
from lab.supply.cache import Cache
from lab.supply.catalogue import full_version, load_entry
from lab.supply.choice import may_bring
from lab.supply.on_demand import names_on_demand
from lab.supply.probe import ProbeResult, debian_wanted, probe
from lab.topology.loader import find_topology, load_topology
from lab.topology.mode_choice import ModeChoice
from lab.topology.models import Supply


@dataclass(frozen=True)
class ProbeRequest:
    """What `lab supply probe` was asked for; without a topology and modes, what all modes need."""

    topology: str | None = None
    version: str | None = None
    modes: tuple[str, ...] = ()
    supply: str | None = None


@dataclass(frozen=True)
class _Needs:
    version: str
    on_demand: frozenset[str]
    supply: Supply


def probe_supply(request: ProbeRequest, progress: Progress) -> ProbeResult:
    """Ask every source of the supply for everything; nothing is fetched or kept.

    Raises WrongUseError for unknown names, for a topology together with a version, and for a supply without
    sources, such as `bundle`.
    """
    needs = _needs(request)
    cache, entry = Cache(), load_entry(needs.version)
    wanted = [
        each
        for supplier in may_bring(needs.supply)
        for each in supplier.wanted(entry, needs.on_demand, cache, progress)
    ]
    return probe((*wanted, *debian_wanted(entry)), progress)


def _needs(request: ProbeRequest) -> _Needs:
    modes = [ModeChoice.parse(mode).name for mode in request.modes]
    policy: set[str] = set()
    if request.topology is None:
        version, supply = full_version(request.version or DEFAULT_VERSION), supply_named(request.supply)
    elif request.version is not None:
        raise WrongUseError(
            "a topology says its version of Kubernetes itself",
            resolution="leave out --topology or --kubernetes",
        )
    else:
        topology = load_topology(find_topology(request.topology), known_modes=mode_names())
        plan = plan_with(topology)
        version, modes = plan.kubernetes.version, modes or [plan.mode]
        policy = {plan.kubernetes.policy.value}
        supply = supply_named(request.supply) if request.supply else topology.supply
    images = names_on_demand(version)
    if modes:
        images &= frozenset(policy).union(*(mode_named(mode).images for mode in modes))
    return _Needs(version, images, supply)
