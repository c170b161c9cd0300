"""What `lab status` says of a lab whose machines run; the API server and sshd are stood in for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.cli.tables import show_status
from lab.cluster.api import ApiError
from lab.cluster.objects import NodeState, PodState
from lab.cluster.served import NotSeen, Port, Served
from lab.cluster.unheeded import PODS, POLICIES
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.machines.machines import MachineState
from lab.nodes.connection import Result, Script
from lab.operations import certificates
from lab.operations.context import Lab
from lab.operations.starvation import USUAL_SECONDS
from lab.operations.status import API_LIMIT, LabStatus, status_of
from lab.state.records import LabRecord
from lab.topology.mode_choice import ModeChoice
from lab.topology.models import NodeRole
from lab.topology.plan import NodePlan, Plan
from tests.stand_in_site import PaperParts, put_box

DIGEST = "0" * 64
NAMES = ("k8s-master1", "k8s-node1", "k8s-node2")


class StandInApi:
    """Lists these nodes, or is silent without any. CoreDNS is well, kube-proxy on k8s-node1 is not there."""

    def __init__(self, *nodes: NodeState) -> None:
        self.listed = nodes
        self.patience: list[float] = []
        self.asked_for_pods = False
        self.objects: dict[str, list[dict[str, object]]] = {PODS: [], POLICIES: []}

    def nodes(self, seconds: float) -> list[NodeState]:
        self.patience.append(seconds)
        if not self.listed:
            raise ApiError("list the nodes: no answer", "timed out")
        return list(self.listed)

    def pods(self, namespace: str) -> list[PodState]:
        self.asked_for_pods = True
        there = [("coredns-0", NAMES[0]), *((f"kube-proxy-{name}", name) for name in (NAMES[0], NAMES[2]))]
        return [PodState(pod, node, "Running", True, (), {}) for pod, node in there]

    def read(self, path: str) -> dict[str, object]:
        return {"items": self.objects[path]}

    def check_pod(self, namespace: str, pod: str, port: int, path: str, seconds: float) -> None:
        """Every pod answers."""


class RunningMachines:
    def states(self) -> Mapping[str, MachineState]:
        return dict.fromkeys(NAMES, MachineState.RUNNING)


class StalledMachines:
    """QEMU has stopped the one of k8s-node1."""

    def states(self) -> Mapping[str, MachineState]:
        return {**dict.fromkeys(NAMES, MachineState.RUNNING), "k8s-node1": MachineState.STALLED}


@dataclass(frozen=True)
class StandInNode:
    name: str

    def why_silent(self, seconds: float) -> str | None:
        return "timed out" if self.name == "k8s-node2" else None

    def run(self, what: Script, *, timeout: float) -> Result:
        """It works at the usual speed."""
        return Result(self.name, 0, f"{USUAL_SECONDS * 1e6:.0f}", "")


class StandInNodes:
    """sshd of k8s-node2 is silent."""

    def __getitem__(self, name: str) -> StandInNode:
        return StandInNode(name)

    def on_each(
        self, nodes: Iterable[NodePlan], work: Callable[[NodePlan], str | None]
    ) -> Mapping[str, str | None]:
        return {node.name: work(node) for node in nodes}


def node(name: str, *, ready: bool = True) -> NodeState:
    return NodeState(name, {}, ready, "it is well" if ready else "it stopped", "v1.24.10")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabFolder:
    """Of a lab whose cluster was made."""
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    put_box(DIGEST)
    folder = LabFolder(tmp_path / "a")
    folder.root.mkdir()
    folder.kubeconfig.touch()
    return folder


@pytest.fixture(autouse=True)
def served(monkeypatch: pytest.MonkeyPatch) -> dict[Port, Served | NotSeen]:
    """What the ports of the nodes serve."""
    sights: dict[Port, Served | NotSeen] = {}
    monkeypatch.setattr(certificates, "seen_from_host", lambda site, nodes, authority: sights)
    return sights


@pytest.fixture
def in_macvlan(plan: Plan) -> Plan:
    return plan.in_mode(ModeChoice("macvlan"))


def seen(
    folder: LabFolder,
    plan: Plan,
    api: StandInApi,
    *,
    seen_well: bool = False,
    machines: RunningMachines | StalledMachines | SomeMachines | None = None,
) -> LabStatus:
    record = LabRecord("a", mode="macvlan", supply="packages", created="", ready=True, box_digest=DIGEST)
    parts = PaperParts(folder, machines or RunningMachines(), StandInNodes(), api)
    return status_of(Lab(folder, record, plan, SilentProgress(), parts), seen_well=seen_well)


def conditions(status: LabStatus) -> list[str]:
    return [each.condition for each in status.nodes]


def test_nodes_and_problems_of_a_cluster_that_answers(folder: LabFolder, in_macvlan: Plan) -> None:
    api = StandInApi(*map(node, NAMES[:2]), node("k8s-node2", ready=False))
    status = seen(folder, in_macvlan, api)
    assert status.state == "up"
    assert conditions(status) == ["Ready", "Ready", "NotReady: it stopped"]
    not_ready, proxy, silent = status.problems
    assert not_ready == "node k8s-node2 is not Ready: it stopped"
    assert proxy == "kube-proxy is not running on k8s-node1: it has no pod there"
    assert silent.startswith("the machine of k8s-node2 runs, its sshd does not answer: timed out;")


def test_an_api_server_that_is_silent_is_asked_once_and_not_for_long(
    folder: LabFolder, in_macvlan: Plan
) -> None:
    api = StandInApi()
    status = seen(folder, in_macvlan, api)
    assert (api.patience, api.asked_for_pods) == ([API_LIMIT], False)
    assert conditions(status) == ["unknown"] * 3
    refused, silent = status.problems
    assert refused == "list the nodes: no answer"
    assert silent.startswith("the machine of k8s-node2 runs, its sshd does not answer")


def test_a_certificate_that_ran_out_is_named_whether_the_api_answers_or_not(
    folder: LabFolder, in_macvlan: Plan, served: dict[Port, Served | NotSeen]
) -> None:
    began, ended = (datetime.now(UTC) - timedelta(days=days) for days in (365, 4))
    address = in_macvlan.first_control_plane.internal_address
    served[Port(NAMES[0], 6443, "kube-apiserver", address)] = Served("AB", began, ended)
    served[Port(NAMES[0], 2379, "etcd", address)] = NotSeen("refused")
    for api in (StandInApi(*map(node, NAMES)), StandInApi()):
        (said,) = [each for each in seen(folder, in_macvlan, api).problems if "certificate" in each]
        assert said.startswith("kube-apiserver on k8s-master1 serves a certificate on port 6443 that ran out")
        assert f"{ended:%Y-%m-%d %H:%M:%S} UTC, 4 days ago (serial AB); `lab certificates renew`" in said


def test_where_all_was_seen_to_be_well_no_problem_is_looked_for(folder: LabFolder, in_macvlan: Plan) -> None:
    api = StandInApi(*map(node, NAMES))
    status = seen(folder, in_macvlan, api, seen_well=True)
    assert (conditions(status), status.problems, api.asked_for_pods) == (["Ready"] * 3, (), False)


def test_a_machine_that_a_full_disk_stopped_is_told_with_the_remedy(
    folder: LabFolder, in_macvlan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = SimpleNamespace(free=3 << 20)
    monkeypatch.setattr("lab.operations.status.shutil.disk_usage", lambda _: free)
    api = StandInApi()
    status = seen(folder, in_macvlan, api, machines=StalledMachines())
    assert status.state == "stalled"
    assert [each.machine for each in status.nodes] == ["running", "stalled", "running"]
    assert status.problems == (
        f"k8s-node1: stopped as the disk could not be written; {folder.root} has 3 MiB free."
        " Make room there, then run `lab resume`",
    )
    assert api.patience == []


def pod(name: str, **spec: object) -> dict[str, object]:
    return {"metadata": {"namespace": "default", "name": name}, "spec": {"containers": [{}], **spec}}


def with_ports(*ports: dict[str, int]) -> dict[str, object]:
    return {"containers": [{}, {"ports": list(ports)}]}


def test_what_has_no_effect_in_the_mode_is_told_below_the_table(
    folder: LabFolder, plan: Plan, in_macvlan: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    api = StandInApi(*map(node, NAMES))
    api.objects[POLICIES] = [{"metadata": {"namespace": "default", "name": "deny"}}]
    api.objects[PODS] = [
        pod("plain"),
        pod("port", **with_ports({"containerPort": 80}, {"containerPort": 81, "hostPort": 9080})),
        pod("of-the-node", hostNetwork=True, **with_ports({"containerPort": 80, "hostPort": 80})),
    ]
    deny = (
        "the network policy default/deny has no effect: the mode {} enforces none, calico-* does,"
        " and so does `lab up --policy kube-network-policies`"
    )
    assert seen(folder, in_macvlan, api).notes == (deny.format("macvlan"),)
    without_shim = plan.in_mode(ModeChoice("macvlan", {"host_shim": False}))
    status = seen(folder, without_shim, api)
    assert status.notes == (
        deny.format("macvlan:host_shim=false"),
        "the hostPort 9080 of pod default/port leads nowhere in the mode macvlan:host_shim=false",
    )
    show_status(status)
    assert capsys.readouterr().out.endswith(f"note: {status.notes[0]}\nnote: {status.notes[1]}\n")


class SomeMachines:
    """Those of these names run, the others are off."""

    def __init__(self, *running: str) -> None:
        self._running = running

    def states(self) -> Mapping[str, MachineState]:
        return {name: MachineState.RUNNING if name in self._running else MachineState.OFF for name in NAMES}


def with_control_planes(plan: Plan, number: int) -> Plan:
    nodes = (
        replace(node, role=NodeRole.CONTROL_PLANE if index < number else NodeRole.WORKER)
        for index, node in enumerate(plan.nodes)
    )
    return replace(plan, nodes=tuple(nodes))


@pytest.mark.parametrize(
    ("control_planes", "running", "asked"),
    [
        (1, NAMES, True),
        (1, NAMES[:2], False),
        (3, NAMES[1:], True),
        (3, NAMES[2:], True),
        (3, (), False),
    ],
)
def test_the_api_is_asked_while_one_of_several_control_planes_runs(
    folder: LabFolder, in_macvlan: Plan, control_planes: int, running: tuple[str, ...], asked: bool
) -> None:
    api = StandInApi(*map(node, running))
    plan = with_control_planes(in_macvlan, control_planes)
    status = seen(folder, plan, api, machines=SomeMachines(*running))
    assert bool(api.patience) is asked
    assert [each.condition != "unknown" for each in status.nodes] == [
        asked and name in running for name in NAMES
    ]


def test_a_machine_that_is_off_is_not_called_silent(folder: LabFolder, in_macvlan: Plan) -> None:
    """That of k8s-node2 would be."""
    api = StandInApi(*map(node, NAMES[:2]), node("k8s-node2", ready=False))
    plan = with_control_planes(in_macvlan, 3)
    status = seen(folder, plan, api, machines=SomeMachines(*NAMES[:2]))
    assert status.state == "degraded"
    assert "node k8s-node2 is not Ready: it stopped" in status.problems
    assert not any("sshd" in problem for problem in status.problems)


def test_of_several_control_planes_a_stalled_one_is_told_too(
    folder: LabFolder, in_macvlan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.operations.status.shutil.disk_usage", lambda _: SimpleNamespace(free=3 << 20))
    api = StandInApi(*map(node, NAMES))
    status = seen(folder, with_control_planes(in_macvlan, 3), api, machines=StalledMachines())
    assert status.problems[0].startswith("k8s-node1: stopped as the disk could not be written")
