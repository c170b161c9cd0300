"""`lab node replace`: a control plane that is dead for good, and a new machine in its place."""

from __future__ import annotations

import dataclasses

from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import Progress
from lab.machines.machines import MachineState
from lab.operations.context import Lab
from lab.operations.doors.node_proxies import NodeProxies
from lab.operations.doors.pull_through import ThroughOpen
from lab.operations.exercises.during_exercise import refuse_during_exercise
from lab.operations.images import KeptImages
from lab.operations.replacing.forgetting import forget, know_again
from lab.operations.replacing.joining import join, make_machine
from lab.operations.replacing.traces import Traces, wait_until_forgotten
from lab.operations.steps import Step, run_steps
from lab.operations.up_steps import AllReady, ImagesOnNodes, InstallMode, LabelNodes
from lab.state.records import locked
from lab.topology.models import LoadBalancer
from lab.topology.plan import NodePlan, Plan

AFTER_JOINING: tuple[Step, ...] = (
    ImagesOnNodes(),
    InstallMode(),
    LabelNodes(),
    AllReady(),
    KeptImages(),
    ThroughOpen(if_open=True),
    NodeProxies(),
)
"""What a node has of the lab's mode and doors."""


def not_replaceable(plan: Plan, node: NodePlan) -> str:
    """Why that node cannot be replaced; empty when it can."""
    if node not in plan.control_planes:
        return f"{node.name} is a worker"
    if plan.load_balancer is None:
        return "it is the only control plane, and all of the cluster is on it"
    if plan.load_balancer is LoadBalancer.LOCAL_NGINX and node == plan.first_control_plane:
        return f"with {plan.load_balancer} users of the lab find the API by its address"
    return ""


def replace_node(folder: LabFolder, name: str, progress: Progress) -> Traces:
    """Switch a control plane off for good, let all forget it, and make a new machine in its place.

    May be repeated after it was interrupted. Returns who named it in between. Raises WrongUseError for a node
    that there is not or that cannot be replaced, and during an exercise; LabError when it fails.
    """
    refuse_during_exercise(folder, "repair what the student is to find")
    with locked(folder):
        lab = Lab.open(folder, progress)
        node = lab.node_named(name)
        if why := not_replaceable(lab.plan, node):
            raise WrongUseError(
                f"{name} cannot be replaced: {why}", resolution="lab up --topology ha-3node has three of them"
            )
        lab.require_up()
        _require_others(lab, node)
        return replace_control_plane(lab, node)


def replace_control_plane(lab: Lab, node: NodePlan) -> Traces:
    """The same for a lab that is open and was looked at."""
    lab.update(dataclasses.replace(lab.record, ready=False))
    with lab.progress.step(f"{node.name} without power, for good"):
        lab.machines.power_off(node.name)
    with lab.progress.step(f"the cluster forgets {node.name}") as at:
        member = forget(lab, node, at)
    with lab.progress.step(f"nothing names {node.name}"):
        traces = wait_until_forgotten(lab, node, member)
    for trace in traces.found:
        lab.progress.note(f"{node.name} is still named: {trace}")
    with lab.progress.step(f"a new machine {node.name}") as at:
        make_machine(lab, node, at)
    with lab.progress.step(f"{node.name} joins") as at:
        join(lab, node, at)
    with lab.progress.step(f"all know {node.name}") as at:
        know_again(lab, at)
    run_steps(lab, AFTER_JOINING)
    return traces


def _require_others(lab: Lab, node: NodePlan) -> None:
    others = {
        name: state
        for name, state in lab.machine_states().items()
        if name != node.name and state is not MachineState.RUNNING
    }
    if others:
        raise LabError(
            f"not all other machines of the lab {lab.folder.name} are running",
            details=", ".join(f"{name} is {state.value}" for name, state in others.items()),
            resolution="`lab up` again; one control plane is replaced at a time",
        )
