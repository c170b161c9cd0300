"""What runs, where, with which addresses and versions."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.cluster.objects import NodeState
from lab.cluster.problems import cluster_problems
from lab.cluster.tuning import Settings
from lab.cluster.unheeded import unheeded
from lab.doors.outside import WayOut
from lab.doors.record import Forward, running_forwards
from lab.doors.tied_door import Condition
from lab.foundation.errors import LabError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.host.enclosure import Enclosure
from lab.machines.machines import MachineState
from lab.modes.enforcer import enforces
from lab.modes.registry import mode_named
from lab.operations.certificates import expired_certificates
from lab.operations.context import Lab
from lab.operations.doors.pull_through import CLOSED_THROUGH, ThroughRow, through_row
from lab.operations.doors.real_lan import CLOSED_LAN, LanRow, lan_row
from lab.operations.starvation import starvation
from lab.state.exercise import ExerciseRecord, read_exercise
from lab.state.records import existing_labs, read_record
from lab.topology.plan import NodePlan

API_LIMIT = 20.0
"""Seconds in which even a busy API server without KVM lists its nodes; people wait for the answer."""
MIB = 1 << 20
GREETING_LIMIT = 10.0
"""Seconds in which even a busy node without KVM says that it is there."""


@dataclass(frozen=True)
class NodeStatus:
    name: str
    role: str
    machine: str
    condition: str
    """Ready, NotReady (with the reason), or unknown."""
    version: str
    addresses: tuple[str, ...]
    """In the order of LabStatus.networks; "-" where the node has no NIC."""


@dataclass(frozen=True)
class ForwardRow:
    """Ports of the host that are forwarded, at one or more addresses of it."""

    listens: tuple[str, ...]
    target: str
    background: bool
    pid: int
    since: str
    """UTC, ISO 8601."""


@dataclass(frozen=True)
class OutsideRow:
    """The door out; `state` says whether it is open."""

    state: str
    networks: tuple[str, ...] = ()
    """From which one may leave."""
    allow_host: bool = False
    allow_lan: bool = False
    host_address: str = ""
    """At which this host's loopback is reached, where that is allowed."""
    since: str = ""
    """UTC, ISO 8601."""
    broken: str = ""
    """What of it is not there any more."""
    proxies: tuple[str, ...] = ()
    """By which nodes fetch images and packages, without logins."""

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class LabStatus:
    name: str
    state: str
    mode: str
    kubernetes: str
    runtime: str
    accelerator: str
    pods: str
    service_cidr: str
    api: str
    networks: tuple[str, ...]
    nodes: tuple[NodeStatus, ...]
    problems: tuple[str, ...]
    """What is wrong in the cluster and with machines that run and do not answer, one line each.

    Empty while there is no cluster, during an exercise, and while a machine does not run; of several control
    planes, while none does.
    """
    notes: tuple[str, ...] = ()
    """What users have put into the cluster that has no effect in its mode, one line each; or the exercise."""
    forwards: tuple[ForwardRow, ...] = ()
    """The ports of the host that lead into the lab."""
    exercise: str = ""
    """The name of the one that runs."""
    outside: OutsideRow = OutsideRow(Condition.CLOSED)
    pull_through: ThroughRow = CLOSED_THROUGH
    lan: LanRow = CLOSED_LAN
    kube_proxy: str = ""
    """Its mode; none where there is no kube-proxy."""
    policy: str = ""
    """The program that enforces NetworkPolicies, where the mode does not; none where nothing does."""

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class LabRow:
    """One lab in the list of all."""

    name: str
    state: str
    topology: str
    mode: str
    created: str

    def as_json(self) -> dict[str, str]:
        return dataclasses.asdict(self)


def lab_status(folder: LabFolder) -> LabStatus:
    """The state of the lab, read from libvirt and the API server; works on a lab that is half made too."""
    lab = Lab.open(folder, SilentProgress())
    return status_of(lab)


def lab_settings(folder: LabFolder) -> Settings:
    """In what the lab's cluster differs from kubeadm's own. Raises LabError before its box is there."""
    lab = Lab.open(folder, SilentProgress())
    if not lab.record.runtime:
        raise LabError(
            f"the lab {folder.name} has no box yet, and so no container runtime",
            resolution=f"lab up --topology {lab.plan.topology} --name {folder.name}",
        )
    return lab.settings


def status_of(lab: Lab, *, seen_well: bool = False) -> LabStatus:
    """The state of the lab; with `seen_well`, problems are not looked for: the caller saw there are none."""
    plan = lab.plan
    machines = lab.machine_states()
    asked = lab.folder.kubeconfig.exists() and _may_answer(lab, machines)
    exercise = read_exercise(lab.folder)
    if not asked:
        cluster = _Cluster({}, ())
    elif exercise is not None:
        cluster = _untold(lab, exercise)
    else:
        running = [node for node in plan.nodes if machines[node.name] is MachineState.RUNNING]
        cluster = _cluster(lab, running, seen_well=seen_well)
    nodes = []
    for node in plan.nodes:
        seen = cluster.nodes.get(node.name)
        by_network = {nic.network: str(nic.primary.ip) for nic in node.nics}
        nodes.append(
            NodeStatus(
                name=node.name,
                role=node.role.value,
                machine=machines[node.name].value,
                condition=_condition(seen).partition(":")[0] if exercise else _condition(seen),
                version=seen.version if seen else "-",
                addresses=tuple(by_network.get(network.name, "-") for network in plan.networks),
            )
        )
    return LabStatus(
        name=lab.folder.name,
        state=_state(lab, machines.values()),
        mode=lab.record.mode,
        kubernetes=plan.kubernetes.version,
        kube_proxy=plan.kubernetes.kube_proxy.value,
        policy=plan.kubernetes.policy.value,
        runtime=lab.record.runtime,
        accelerator=lab.record.accelerator,
        pods=str(plan.kubernetes.pod_cidr),
        service_cidr=str(plan.kubernetes.service_cidr),
        api=plan.kubernetes.api.authority,
        networks=tuple(network.name for network in plan.networks),
        nodes=tuple(nodes),
        problems=(*_stalled(lab, machines), *cluster.problems),
        notes=cluster.notes,
        forwards=tuple(map(_forward_row, running_forwards(lab.folder))),
        exercise=exercise.name if exercise else "",
        outside=outside_row(lab.way_out),
        pull_through=through_row(lab.pull_through),
        lan=lan_row(lab.real_lan),
    )


def _may_answer(lab: Lab, machines: Mapping[str, MachineState]) -> bool:
    """Whether all machines run; of several control planes one that runs is enough to be asked."""
    running = {name for name, state in machines.items() if state is MachineState.RUNNING}
    if not lab.plan.other_control_planes:
        return len(running) == len(machines)
    return any(node.name in running for node in lab.plan.control_planes)


def outside_row(way_out: WayOut) -> OutsideRow:
    opening = way_out.opening
    if opening is None:
        return OutsideRow(Condition.CLOSED)
    return OutsideRow(
        way_out.condition,
        opening.networks,
        opening.allow_host,
        opening.allow_lan,
        opening.host_address,
        opening.since,
        way_out.broken,
        opening.proxies.urls,
    )


def _forward_row(forward: Forward) -> ForwardRow:
    return ForwardRow(forward.listens, forward.target, forward.background, forward.process.pid, forward.since)


def _stalled(lab: Lab, machines: Mapping[str, MachineState]) -> tuple[str, ...]:
    """Why machines stand still that nobody has paused."""
    nodes = [name for name, state in machines.items() if state is MachineState.STALLED]
    if not nodes:
        return ()
    free = shutil.disk_usage(lab.folder.root).free / MIB
    return (
        f"{', '.join(nodes)}: stopped as the disk could not be written; {lab.folder.root} has {free:.0f} MiB"
        " free. Make room there, then run `lab resume`",
    )


def _condition(seen: NodeState | None) -> str:
    if seen is None:
        return "unknown"
    return "Ready" if seen.ready else f"NotReady: {seen.message}"


def labs_overview() -> tuple[LabRow, ...]:
    """All labs of this host; one whose record cannot be read is listed as broken."""
    return tuple(_row(folder) for folder in existing_labs())


def _row(folder: LabFolder) -> LabRow:
    try:
        lab = Lab.open(folder, SilentProgress())
        state = _state(lab, lab.machine_states().values())
        return LabRow(folder.name, state, lab.plan.topology, lab.record.mode, lab.record.created)
    except LabError:
        running = "half made" if Enclosure(folder).running or read_record_safely(folder) else "broken"
        return LabRow(folder.name, running, "-", "-", "-")


def read_record_safely(folder: LabFolder) -> bool:
    """Whether the lab has a record that can be read."""
    try:
        return read_record(folder) is not None
    except LabError:
        return False


def _state(lab: Lab, machines: Iterable[MachineState]) -> str:
    states = set(machines)
    if MachineState.STALLED in states:
        return "stalled"
    if states == {MachineState.PAUSED}:
        return "paused"
    if states == {MachineState.RUNNING}:
        return "up" if lab.record.ready else "half made"
    if states == {MachineState.NOT_CREATED}:
        return "half made" if lab.site.running else "not running"
    return "degraded" if lab.record.ready and MachineState.RUNNING in states else "half made"


@dataclass(frozen=True)
class _Cluster:
    """What there is to see from outside of a cluster whose machines run."""

    nodes: Mapping[str, NodeState]
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()


def _untold(lab: Lab, exercise: ExerciseRecord) -> _Cluster:
    """During an exercise nobody says what is wrong."""
    note = (
        f"the exercise {exercise.name} of {exercise.student} runs: what is wrong is not told here;"
        " `lab exercise check` says what fails"
    )
    try:
        nodes = {seen.name: seen for seen in lab.api.nodes(API_LIMIT)}
    except LabError as error:
        return _Cluster({}, (error.brief,), (note,))
    return _Cluster(nodes, (), (note,))


def _cluster(lab: Lab, running: Sequence[NodePlan], *, seen_well: bool) -> _Cluster:
    """An API server that does not list its nodes in time is not asked a second time."""
    try:
        nodes = {seen.name: seen for seen in lab.api.nodes(API_LIMIT)}
    except LabError as error:
        causes = (*expired_certificates(lab, running), *starvation(lab, running), *_silent(lab, running, {}))
        return _Cluster({}, (error.brief, *causes))
    if seen_well:
        return _Cluster(nodes, ())
    problems, notes = _seen_in_api(lab, nodes)
    causes = (*expired_certificates(lab, running), *starvation(lab, running), *_silent(lab, running, nodes))
    return _Cluster(nodes, (*problems, *causes), notes)


def _seen_in_api(lab: Lab, nodes: Mapping[str, NodeState]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Problems, and notes."""
    try:
        setup = lab.mode_setup
        problems = cluster_problems(lab.api, nodes, lab.plan, setup.workloads)
        notes = unheeded(
            lab.api,
            str(lab.plan.choice),
            host_ports=setup.host_ports,
            policies=enforces(lab.plan, mode_named(lab.plan.mode)),
        )
    except LabError as error:
        return (error.brief,), ()
    return problems, notes


def _silent(lab: Lab, running: Sequence[NodePlan], nodes: Mapping[str, NodeState]) -> tuple[str, ...]:
    """Those `running` that are not Ready and whose system does not answer any more."""
    ready = {name for name, seen in nodes.items() if seen.ready}
    suspects = [node for node in running if node.name not in ready]
    reasons = lab.nodes.on_each(suspects, lambda node: lab.nodes[node.name].why_silent(GREETING_LIMIT))
    return tuple(
        f"the machine of {node} runs, its sshd does not answer: {why}; "
        f"`lab logs {node}.console` shows its console, `lab rebuild` returns to the clean cluster"
        for node, why in reasons.items()
        if why is not None
    )
