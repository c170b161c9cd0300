"""Putting known mistakes into a lab, and taking them out again."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from lab.cluster.readiness import wait_until_well
from lab.faults.fault import Scope, Site
from lab.faults.registry import FAULTS, fault_named
from lab.faults.target import require_fit, target_of
from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.journal import Silence
from lab.foundation.paths import LabFolder
from lab.foundation.progress import Progress, SilentProgress, StepContext
from lab.foundation.wait import Deadline
from lab.modes.registry import mode_named
from lab.operations.context import Lab
from lab.operations.exercises.during_exercise import refuse_during_exercise
from lab.state.faults import InjectedFault, read_faults, write_faults
from lab.state.records import locked, now

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
    """All faults, and which of them are in the lab; asks no node. Raises WrongUseError during an exercise."""
    refuse_during_exercise(folder, "say what is wrong")
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
    node, and during an exercise; LabError when it fails.
    """
    refuse_during_exercise(folder, "add to what is wrong")
    return put_fault(folder, name, node, progress)


def put_fault(folder: LabFolder, name: str, node: str | None, progress: Progress) -> InjectedFault:
    """The same, whether an exercise runs or not."""
    fault = fault_named(name)
    with locked(folder):
        lab = _at_work(folder, progress)
        require_fit(fault, lab.plan)
        target = target_of(fault, node, lab.plan)
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

    Raises WrongUseError for a fault that there is not and during an exercise, LabError when one cannot be
    taken out: it is then still on record, and the same command goes on.
    """
    refuse_during_exercise(folder, "repair what the student is to find")
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
            wait_until_lab_is_well(lab, progress)
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
            _clear_untold(lab, injected)


def _clear_untold(lab: Lab, injected: InjectedFault) -> None:
    """Take it out; while an exercise runs, nothing says what it was."""
    if not lab.folder.exercise.exists():
        _clear(lab, injected, lab.progress)
        return
    with lab.progress.step("the LAN as it was"), Silence():
        try:
            _clear(lab, injected, SilentProgress())
        except LabError:
            raise LabError(
                f"the LAN of {lab.folder.name} cannot be put right", resolution="lab exercise stop"
            ) from None


def _clear(lab: Lab, injected: InjectedFault, progress: Progress) -> None:
    fault, where = fault_named(injected.name), f" on {injected.node}" if injected.node else ""
    with progress.step(f"without {injected.name}{where}") as at:
        node = next((each for each in lab.plan.nodes if each.name == injected.node), lab.plan.nodes[-1])
        fault.clear(_site(lab, at), node, injected.before)
    write_faults(lab.folder, [each for each in read_faults(lab.folder) if each.name != injected.name])


def wait_until_lab_is_well(lab: Lab, progress: Progress) -> None:
    """Wait until all is ready and answers. Raises TimedOutError."""
    with progress.step("nodes Ready, pods of the system ready") as at:
        wait_until_well(lab.api, lab.plan, lab.mode_setup.workloads, at, Deadline(HEALTHY_LIMIT))


def _at_work(folder: LabFolder, progress: Progress) -> Lab:
    lab = Lab.open(folder, progress)
    lab.require_awake()
    return lab


def _site(lab: Lab, at: StepContext) -> Site:
    mode = mode_named(lab.plan.mode)
    return Site(
        plan=lab.plan,
        mode=mode,
        nodes=lab.nodes,
        api=lab.api,
        machines=lab.machines,
        enclosure=lab.site,
        secrets=lab.membership.secrets,
        tuning=lab.tuning,
        say=at.doing,
    )
