"""`lab up`: from nothing, or from where it stopped, to a working cluster."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from lab.cluster.proxy import proxy_named
from lab.foundation import journal
from lab.foundation.errors import WrongUseError
from lab.foundation.progress import Progress, StepTime
from lab.host.layout import EnclosureLayout
from lab.modes.enforcer import images_needed
from lab.modes.mode import Mode
from lab.modes.registry import mode_named, mode_names
from lab.operations.context import Lab
from lab.operations.doors.wanted_doors import NO_DOORS, WantedDoors
from lab.operations.exercises.during_exercise import refuse_during_exercise
from lab.operations.images import KeptImages, keep_wanted, names_of, raise_about
from lab.operations.keeping.keep import CLUSTER_SNAPSHOT, mode_snapshot
from lab.operations.parts import LocalParts
from lab.operations.planning import Chosen, plan_of, plan_with
from lab.operations.software import supply_named
from lab.operations.status import LabStatus, status_of
from lab.operations.steps import NamedStep, run_steps
from lab.operations.up_order import (
    BROUGHT_BACK,
    GROUND,
    KEEP,
    WARM,
    WARM_CLUSTER,
    all_steps,
    until_cluster,
    until_programs,
)
from lab.operations.up_steps import AllReady
from lab.state.exercise import note_return
from lab.state.records import LabRecord, lab_folder, locked, now, read_record, save_topology
from lab.supply.cache import Cache
from lab.supply.lacking import lacking_images
from lab.topology.findings import did_you_mean
from lab.topology.loader import find_topology, load_topology
from lab.topology.mode_choice import ModeChoice
from lab.topology.models import KubeProxy, Supply, Topology
from lab.topology.plan import Plan


class Until(StrEnum):
    """Where `lab up` may end before all is done."""

    CLUSTER = "cluster"
    """All nodes have joined, and there is no pod network."""
    PROGRAMS = "programs"
    """The programs of the mode run, and there are no networks for pods and no labels of the topology."""


UNTIL = {Until.CLUSTER: until_cluster, Until.PROGRAMS: until_programs}


RUNS = {
    "installer": "a cluster of the installer {}, not {}",
    "kubernetes": "Kubernetes {}, not {}",
    "policy": "with --policy {}, not {}",
    "kube_proxy": "{}, not {}",
}
"""How a lab differs from what was asked for, by field of `Chosen`, what decides about more first."""


@dataclass(frozen=True)
class UpRequest:
    """What `lab up` was asked for; None is the topology's own choice."""

    topology: str
    mode: str | None = None
    supply: str | None = None
    name: str | None = None
    cold: bool = False
    """Build everything anew, though the cache holds a lab of this kind."""
    images: tuple[str, ...] = ()
    """Images that nodes get at the end, beside the topology's own."""
    doors: WantedDoors = NO_DOORS
    """Those that are open at the end, beside the topology's own."""
    until: Until | None = None
    """Where to end; None when all is done."""
    kubernetes: str | None = None
    """A version of the catalogue; v1.37 is its newest patch release."""
    kube_proxy: str | None = None
    policy: str | None = None
    installer: str | None = None
    step: str | None = None
    """End after the step with that key; nothing comes from the cache, then or later."""

    @property
    def chosen(self) -> Chosen:
        return Chosen(self.kubernetes or "", self.kube_proxy or "", self.policy or "", self.installer or "")


@dataclass(frozen=True)
class UpSummary:
    """What `lab up` came to, and the steps that it ran."""

    status: LabStatus
    times: tuple[StepTime, ...]
    until: Until | None = None
    """Where it ended, as was asked for."""
    step: str | None = None
    """The key of the step after which it ended, as was asked for."""

    def as_json(self) -> dict[str, Any]:
        steps = [dataclasses.asdict(step) for step in self.times]
        return {"lab": self.status.as_json(), "steps": steps}


def summary_of(
    lab: Lab, times: tuple[StepTime, ...], *, until: Until | None = None, step: str | None = None
) -> UpSummary:
    """The lab after these steps; problems are not looked for when one of them saw that all is ready.

    Nor are they when it ended before: nodes are not Ready, and pods wait.
    """
    early = until is not None or step is not None
    seen_well = early or any(time.name == AllReady.name for time in times)
    return UpSummary(status_of(lab, seen_well=seen_well), times, until, step)


def bring_up(request: UpRequest, progress: Progress) -> UpSummary:
    """Make the lab, or finish one that was begun; raises before anything starts when input is wrong.

    Raises WrongUseError for a name that no lab can have, for a lab of that name which was made from something
    else, and for one that runs and has an exercise; LabError at the end, with the lab up, about images that
    are not to be had.
    """
    source = find_topology(request.topology)
    topology = load_topology(source, known_modes=mode_names())
    plan = _wanted_plan(topology, request)
    mode = mode_named(plan.mode)
    mode.check(plan)
    _refuse_programs_alone(request, mode)
    steps = steps_until(plan, request.step)
    supply = supply_named(request.supply) if request.supply else topology.supply
    images = names_of((*topology.images, *request.images))
    doors = request.doors.with_those_of(topology)
    doors.require_programs()
    folder = lab_folder(topology.name if request.name is None else request.name)
    # A lab that lies too deep is refused before there is anything of it.
    EnclosureLayout.of(folder)
    with locked(folder):
        record = read_record(folder)
        if record is None or not record.images:
            needed = images_needed(plan, mode)
            mode.refuse_without(lacking_images(plan.kubernetes.version, needed, supply, Cache()))
        if record is None:
            save_topology(folder, source)
            record = LabRecord(
                folder.name,
                mode=str(plan.choice),
                supply=supply.value,
                created=now(),
                kubernetes=plan.kubernetes.version,
                kube_proxy=plan.kubernetes.kube_proxy.value,
                policy=plan.kubernetes.policy.value,
                installer=plan.kubernetes.installer.value,
            )
        journal.keep_in(folder.log)
        parts = LocalParts(folder)
        doors.require_lan(plan, parts.site, folder)
        if parts.site.running:
            refuse_during_exercise(folder, "repair what the student is to find")
        else:
            note_return(folder, "was made anew")
        lab = Lab(folder, record, plan, progress, parts)
        if record.images:
            lab.require_images()
        _refuse_other_lab(lab, source, plan)
        _refuse_other_supply(lab, supply)
        lab.update(replace(record, by_hand=record.by_hand or request.step is not None))
        if request.until is not None or request.step is not None:
            _refuse_pod_network(lab)
        before = run_steps(lab, GROUND)
        after = _run_wanted_steps(lab, request, steps)
        if request.step is not None:
            return summary_of(lab, (*before, *after), step=request.step)
        lacking = keep_wanted(lab, images)
        after += run_steps(lab, (KeptImages(), *doors.steps))
        raise_about((), lacking)
        return summary_of(lab, (*before, *after), until=request.until)


def _wanted_plan(topology: Topology, request: UpRequest) -> Plan:
    plan = plan_with(topology, request.chosen)
    return plan if request.mode is None else plan.in_mode(ModeChoice.parse(request.mode))


def _run_wanted_steps(lab: Lab, request: UpRequest, steps: Sequence[NamedStep]) -> tuple[StepTime, ...]:
    """From the ground on, as far as was asked for, with what the cache has of it."""
    if request.step is not None:
        return run_steps(lab, steps)
    # What somebody did by hand would be lost by what is in the cache, and is not for other labs.
    anew = request.cold or lab.record.by_hand
    if request.until is not None:
        brought = () if anew else run_steps(lab, (WARM_CLUSTER,))
        return brought + run_steps(lab, UNTIL[request.until](lab.plan))
    brought = () if anew else run_steps(lab, (WARM,))
    whole = bool(brought) and mode_snapshot(lab.plan.choice) in lab.machines.snapshots()
    done = brought + run_steps(lab, BROUGHT_BACK if whole else steps)
    return done + run_steps(lab, (KEEP,)) if done and not lab.record.by_hand else done


def steps_until(plan: Plan, key: str | None) -> tuple[NamedStep, ...]:
    """All steps of a lab from nothing, or those up to the one with that key.

    Raises WrongUseError for a key that none has.
    """
    steps = all_steps(plan)
    if key is None:
        return steps
    keys = [step.key for step in steps]
    if key not in keys:
        raise WrongUseError(
            f"no step of this lab has the name {key}{did_you_mean(key, keys)}",
            details=f"with the installer {plan.kubernetes.installer.value} they are: {', '.join(keys)}",
            resolution="name one of them with --until",
        )
    return steps[: keys.index(key) + 1]


def _refuse_programs_alone(request: UpRequest, mode: Mode) -> None:
    """Raises WrongUseError where the programs of the mode need no networks that users make."""
    if request.until is Until.PROGRAMS and not mode.network_kinds:
        raise WrongUseError(
            f"the mode {mode.name} has no networks that users make",
            resolution="--until cluster ends before there is anything of the mode",
        )


def _refuse_other_lab(lab: Lab, source: Path, plan: Plan) -> None:
    """Raises WrongUseError when the lab of that name is of another topology, version, kube-proxy or mode."""
    name = lab.folder.name
    made_from = plan_of(lab.folder.topology, Chosen.of(lab.record)).in_mode(plan.choice)
    has, wanted = Chosen.of_plan(made_from), Chosen.of_plan(plan)
    if has != wanted and plan_of(lab.folder.topology, wanted).in_mode(plan.choice) == plan:
        what = next(each for each in RUNS if getattr(has, each) != getattr(wanted, each))
        option = f"--{what.replace('_', '-')} {getattr(has, what)}"
        raise WrongUseError(
            f"the lab {name} runs {RUNS[what].format(_told(has, what), _told(wanted, what))}",
            resolution=f"add {option}, or give the new lab another name with --name",
        )
    if made_from != plan:
        raise WrongUseError(
            f"there is already a lab {name}, made from a topology that differs from {source}",
            resolution=f"lab down --name {name} first, or give the new lab another name with --name",
        )
    if lab.record.mode != str(plan.choice):
        raise WrongUseError(
            f"the lab {name} is in mode {lab.record.mode}, not {plan.choice}",
            resolution=f"lab rebuild --mode {plan.choice} --name {name}",
        )


def _told(chosen: Chosen, what: str) -> str:
    value: str = getattr(chosen, what)
    return proxy_named(KubeProxy(value)) if what == "kube_proxy" else value


def _refuse_pod_network(lab: Lab) -> None:
    """Raises WrongUseError when the lab has gone further than the cluster without one."""
    if lab.record.ready and lab.site.running:
        name = lab.folder.name
        raise WrongUseError(
            f"the lab {name} has a pod network already",
            resolution=f"`lab snapshot restore {CLUSTER_SNAPSHOT} --name {name}` goes back to before it",
        )


def _refuse_other_supply(lab: Lab, wanted: Supply) -> None:
    """Raises WrongUseError when the lab's software came from another supply already."""
    name, has = lab.folder.name, lab.record.supply
    if Supply.AUTO not in (wanted, Supply(has)) and has != wanted:
        raise WrongUseError(
            f"the software of lab {name} comes from the supply {has}, not {wanted.value}",
            resolution=f"leave out --supply, or lab down --name {name} first",
        )
