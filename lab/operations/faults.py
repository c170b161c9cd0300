"""Putting known mistakes into a lab, and taking them out again."""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass

from lab.cluster.readiness import wait_until_well
from lab.faults.fault import Fault, Scope, Site
from lab.faults.registry import FAULTS, fault_named
from lab.foundation.errors import WrongUseError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import Progress, SilentProgress, StepContext
from lab.foundation.wait import Deadline
from lab.modes.registry import mode_named
from lab.operations.context import Lab
from lab.state.faults import InjectedFault, read_faults, write_faults
from lab.state.records import locked, now
from lab.topology.models import NodeRole
from lab.topology.plan import NodePlan

HEALTHY_LIMIT = 600.0
"""Seconds until a cluster without faults must be ready again; emulation takes its time."""


@dataclass(frozen=True)
class FaultRow:
    """A fault as the lab at hand sees it."""

    name: str
    summary: str
    scope: str
    unfit: str
    """Why it means nothing in this lab; empty when it does."""
    injected: bool
    node: str
    """Where it is in; empty when it is not, or is not on one node."""
    since: str
    """UTC, ISO 8601; empty when it is not in."""

    def as_json(self) -> dict[str, object]:
        return dataclasses.asdict(self)


def fault_rows(folder: LabFolder) -> tuple[FaultRow, ...]:
    """All faults, and which of them are in the lab; asks no node."""
    lab = Lab.open(folder, SilentProgress())
    mode = mode_named(lab.plan.mode)
    present = {injected.name: injected for injected in read_faults(folder)}
    return tuple(
        FaultRow(
            fault.name,
            fault.summary,
            fault.scope.value,
            fault.unfit(lab.plan, mode),
            fault.name in present,
            present[fault.name].node if fault.name in present else "",
            present[fault.name].since if fault.name in present else "",
        )
        for fault in FAULTS
    )


def inject_fault(folder: LabFolder, name: str, node: str | None, progress: Progress) -> InjectedFault:
    """Put the fault into the lab, by default on its last worker; returns when it has its effect.

    A fault that is injected already, wholly or partly, is injected again. Raises WrongUseError for a fault or
    node that does not exist, for a fault that does not apply to this lab or is already injected on another
    node; LabError when it fails.
    """
    fault = fault_named(name)
    with locked(folder):
        lab = _at_work(folder, progress)
        _require_fit(fault, lab)
        target = _target(fault, node, lab)
        on_node = target.name if fault.scope is Scope.NODE else ""
        present = {injected.name: injected for injected in read_faults(folder)}
        known = present.get(name)
        if known is not None and known.node != on_node:
            raise WrongUseError(
                f"the fault {name} is already injected on {known.node}", resolution=f"lab fault clear {name}"
            )
        with progress.step(f"{name}{f' on {on_node}' if on_node else ''}") as at:
            site = _site(lab, at)
            if known is None:
                known = InjectedFault(name, on_node, now(), fault.remember(site, target))
                # Before anything is changed: what is half in can be taken out.
                write_faults(folder, (*present.values(), known))
            fault.inject(site, target, known.before)
        return known


def clear_faults(folder: LabFolder, name: str | None, progress: Progress) -> tuple[InjectedFault, ...]:
    """Take that fault out of the lab, or all with None, and wait until the lab is well; what was taken out.

    Raises WrongUseError for a fault that there is not, LabError when one cannot be taken out: it is then
    still on record, and the same command goes on.
    """
    if name is not None:
        fault_named(name)
    with locked(folder):
        lab = _at_work(folder, progress)
        cleared = []
        # The last one first: one may lie over the other.
        for injected in reversed(read_faults(folder)):
            if name in (None, injected.name):
                _clear(lab, injected, progress)
                cleared.append(injected)
        if cleared and not read_faults(folder):
            _wait_until_well(lab, progress)
        return tuple(cleared)


def faults_in_machines(folder: LabFolder) -> tuple[InjectedFault, ...]:
    """The faults that a snapshot of the lab's machines would hold."""
    return tuple(each for each in read_faults(folder) if fault_named(each.name).scope is not Scope.LAN)


def faults_after_revert(lab: Lab, of_snapshot: tuple[InjectedFault, ...]) -> None:
    """The machines are back at a snapshot with these faults: those are now on record.

    With none the lab is to be clean, and faults of the LAN, which are outside the machines, are taken out.
    """
    outside = [each for each in read_faults(lab.folder) if fault_named(each.name).scope is Scope.LAN]
    write_faults(lab.folder, (*outside, *of_snapshot))
    if not of_snapshot:
        for injected in outside:
            _clear(lab, injected, lab.progress)


def _clear(lab: Lab, injected: InjectedFault, progress: Progress) -> None:
    fault, where = fault_named(injected.name), f" on {injected.node}" if injected.node else ""
    with progress.step(f"without {injected.name}{where}") as at:
        node = next((each for each in lab.plan.nodes if each.name == injected.node), lab.plan.nodes[-1])
        fault.clear(_site(lab, at), node, injected.before)
    write_faults(lab.folder, [each for each in read_faults(lab.folder) if each.name != injected.name])


def _wait_until_well(lab: Lab, progress: Progress) -> None:
    with progress.step("nodes Ready, pods of the system ready") as at:
        wait_until_well(lab.api, lab.plan, lab.mode_setup.workloads, at, Deadline(HEALTHY_LIMIT))


def _at_work(folder: LabFolder, progress: Progress) -> Lab:
    lab = Lab.open(folder, progress)
    lab.require_running()
    return lab


def _site(lab: Lab, at: StepContext) -> Site:
    mode = mode_named(lab.plan.mode)
    return Site(lab.plan, mode, lab.nodes, lab.api, lab.machines, lab.site, at.doing)


def _require_fit(fault: Fault, lab: Lab) -> None:
    if why := fault.unfit(lab.plan, mode_named(lab.plan.mode)):
        raise WrongUseError(
            f"the fault {fault.name} does not apply in mode {lab.plan.mode}: {why}",
            resolution="lab fault list shows those that do",
        )


def _target(fault: Fault, name: str | None, lab: Lab) -> NodePlan:
    able = [node for node in lab.plan.nodes if not fault.workers_only or node.role is NodeRole.WORKER]
    if fault.scope is not Scope.NODE:
        if name is not None:
            raise WrongUseError(
                f"the fault {fault.name} applies to {fault.scope}, not to one node",
                resolution="leave --node out",
            )
        return lab.plan.nodes[-1]
    if not able:
        raise WrongUseError(
            f"the fault {fault.name} needs a worker, and the lab has none",
            resolution="use a topology with workers",
        )
    if name is None:
        workers = [node for node in able if node.role is NodeRole.WORKER]
        return (workers or able)[-1]
    for node in able:
        if node.name == name:
            return node
    names = [node.name for node in able]
    near = difflib.get_close_matches(name, names, n=1)
    raise WrongUseError(
        f"the fault {fault.name} cannot be injected on the node {name}",
        details=f"did you mean {near[0]}?" if near else None,
        resolution=f"use one of: {', '.join(names)}",
    )
