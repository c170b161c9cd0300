"""`lab up` from binaries: the order of its steps, what each waits for, and where it may end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from lab.cluster.api import ApiError
from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.progress import SilentProgress
from lab.nodes.connection import Result, Script
from lab.operations import binary_steps, lab_steps
from lab.operations.binary_steps import API_SERVERS, ETCD, KUBELETS, AddOns
from lab.operations.context import Lab
from lab.operations.lab_steps import State, step_of_lab, steps_of_lab
from lab.operations.steps import NamedStep
from lab.operations.up import UpRequest, bring_up
from lab.operations.up_order import FROM_BINARIES, all_steps
from lab.operations.up_steps import KeepLab, KeepMode
from lab.state.exercise import ExerciseRecord
from lab.state.records import lab_folder, read_record
from lab.topology.loader import find_topology, load_topology
from lab.topology.models import Installer
from lab.topology.plan import NodePlan, Plan
from lab.topology.planner import make_plan
from tests.operations.test_images_of_up import ran

__all__ = ["ran"]
FROM = UpRequest("underlay-3node", "flannel-vxlan", name="a", installer="binary")


def up(**changes: object) -> None:
    bring_up(replace(FROM, **changes), SilentProgress())  # type: ignore[arg-type]


def test_the_order_is_kubeaszs() -> None:
    keys = [step.key for step in FROM_BINARIES]
    assert keys == [
        *("machines", "lan-host", "certificates", "nodes", "binaries", "etcd", "load-balancer"),
        *("api-server", "controllers", "kubelet", "kube-proxy", "add-ons", "cluster"),
    ]


@pytest.mark.parametrize("installer", list(Installer))
def test_no_two_steps_have_one_key(plan: Plan, installer: Installer) -> None:
    steps = all_steps(plan.by(installer))
    assert len({step.key for step in steps}) == len({step.name for step in steps}) == len(steps)


def test_the_topology_or_an_option_chooses(ran: list[str], tmp_path: Path) -> None:
    up()
    assert ETCD.name in ran
    assert not [name for name in ran if "kubeadm" in name]
    record = read_record(lab_folder("a"))
    assert record is not None
    assert record.installer == "binary"
    ran.clear()
    source = (Path(__file__).parents[2] / "topologies" / "underlay-3node.yaml").read_text()
    own = tmp_path / "own.yaml"
    own.write_text(source.replace("kubernetes:\n", "kubernetes:\n  installer: binary\n", 1))
    up(topology=str(own), name="b", installer=None)
    assert ETCD.name in ran
    ran.clear()
    up(topology=str(own), name="c", installer="kubeadm")
    assert (ETCD.name in ran, "kubeadm init" in ran) == (False, True)


def test_a_lab_keeps_the_installer_that_it_was_made_with(ran: list[str]) -> None:
    up()
    with pytest.raises(WrongUseError, match="a cluster of the installer binary, not kubeadm") as caught:
        up(installer=None)
    assert "--installer binary" in str(caught.value)
    assert Lab.open(lab_folder("a"), SilentProgress()).plan.from_binaries


def test_it_ends_at_a_step_and_takes_nothing_from_the_cache_after_that(ran: list[str]) -> None:
    up(step="etcd")
    assert ran[-1] == ETCD.name
    assert API_SERVERS.name not in ran
    ran.clear()
    up()
    assert {API_SERVERS.name, KeepMode.name} <= set(ran)
    assert not {"machines from the cache", KeepLab.name} & set(ran), "somebody's own work may be in it"


def test_an_unknown_step_is_refused_before_anything_starts(ran: list[str]) -> None:
    with pytest.raises(WrongUseError, match="has the name ectd; did you mean 'etcd'") as caught:
        up(step="ectd")
    assert "certificates, nodes, binaries, etcd" in (caught.value.details or "")
    assert ran == []
    with pytest.raises(WrongUseError, match="no step of this lab has the name etcd"):
        up(step="etcd", installer="kubeadm")


@pytest.fixture
def several() -> Plan:
    return make_plan(load_topology(find_topology("ha-3node")))


class StandIn:
    """A lab whose nodes note what is run on them."""

    def __init__(self, plan: Plan, folder: Path, *, well: Iterable[str] = ()) -> None:
        self.plan = plan
        self.ran: list[str] = []
        self.asked: list[str] = []
        self.well = set(well)
        self.installation = self.membership = SimpleNamespace(plan=plan, secrets=None)
        self.folder = SimpleNamespace(kubeconfig=folder / "kubeconfig")
        self.nodes = self
        self.api: object = None

    def __getitem__(self, name: str) -> SimpleNamespace:
        def run(script: Script, *, check: bool = True, timeout: float = 0) -> Result:
            if check:
                self.ran.append(name)
            else:
                self.asked.append(name)
            return Result(name, 0 if name in self.well else 1, "", "")

        return SimpleNamespace(run=run)

    def on_each(self, nodes: Iterable[NodePlan], work: Callable[[NodePlan], object]) -> dict[str, object]:
        return {node.name: work(node) for node in nodes}


def without_files(step: binary_steps.OnNodes) -> binary_steps.OnNodes:
    work = SimpleNamespace(check_script=lambda name: Script("", name), script=lambda name: Script("", name))
    return replace(step, work=lambda installation, node: work)  # type: ignore[arg-type,return-value]


def test_done_is_what_the_check_says_on_every_node(several: Plan, tmp_path: Path) -> None:
    step = without_files(ETCD)
    names = [node.name for node in several.control_planes]
    lab = StandIn(several, tmp_path, well=names[:-1])
    assert not step.done(cast(Lab, lab))
    assert sorted(lab.asked) == names
    lab.well.add(names[-1])
    assert step.done(cast(Lab, lab))


def test_the_first_api_server_makes_the_roles_before_the_others_start(
    several: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, lab = without_files(API_SERVERS), StandIn(several, tmp_path)
    monkeypatch.setattr(binary_steps, "admin_kubeconfig", lambda plan, secrets: "written")
    monkeypatch.setattr(binary_steps, "wait_serving", lambda api, at, deadline: lab.ran.append("served"))
    with SilentProgress().step("servers") as at:
        step.run(cast(Lab, lab), at)
    assert lab.ran == [*(node.name for node in several.control_planes), "served"]
    assert lab.folder.kubeconfig.read_text() == "written"


def test_without_an_answer_of_the_api_nothing_of_it_is_done(plan: Plan, tmp_path: Path) -> None:
    def silent(*_: object) -> None:
        raise ApiError("list nodes", "no answer")

    lab = StandIn(plan, tmp_path, well=[node.name for node in plan.nodes])
    lab.api = SimpleNamespace(nodes=silent, rollout=silent)
    assert not without_files(KUBELETS).done(cast(Lab, lab))
    assert not AddOns().done(cast(Lab, lab))


@pytest.fixture
def _asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lab that runs, in which etcd works and the API server does not."""
    done = {"machines", "lan-host", "certificates", "nodes", "binaries", "etcd"}

    def state(lab: Lab, step: object) -> State:
        key = step.key  # type: ignore[attr-defined]
        if key in ("network", "ready"):
            raise AssertionError("it cannot be asked without a cluster")
        return State.DONE if key in done else State.TO_DO

    monkeypatch.setattr(lab_steps, "_state", state)
    monkeypatch.setattr(Lab, "site", property(lambda lab: SimpleNamespace(running=True)))
    monkeypatch.setattr(binary_steps.OnNodes, "seen", lambda step, lab: {"k8s-master1": True})


@pytest.mark.usefixtures("_asked")
def test_the_steps_of_a_lab(ran: list[str]) -> None:
    up(step="etcd")
    folder = lab_folder("a")
    lab = Lab.open(folder, SilentProgress())
    lab.update(replace(lab.record, box_digest="abc", runtime="containerd", images=("r/etcd:1",)))
    states = {row.key: row.state for row in steps_of_lab(folder)}
    assert [key for key, state in states.items() if state is State.DONE][-1] == "etcd"
    assert states["api-server"] is states["network"] is State.TO_DO
    details = step_of_lab(folder, "etcd")
    assert [(file.path, file.nodes) for file in details.files] == [
        ("/etc/systemd/system/etcd.service", ("k8s-master1",))
    ]
    assert details.units == ("etcd",)
    ((where, check, well),) = details.checks
    assert (where, well) == ("k8s-master1", True)
    assert check.endswith("https://127.0.0.1:2379/health")
    with pytest.raises(WrongUseError, match="has the name init"):
        step_of_lab(folder, "init")


def test_a_step_that_cannot_be_asked_is_to_do(plan: Plan) -> None:
    def fails(lab: Lab) -> bool:
        raise LabError("no answer")

    step = SimpleNamespace(key="x", name="x", done=fails)
    assert lab_steps._state(cast(Lab, None), cast(NamedStep, step)) is State.TO_DO


def test_the_steps_are_not_told_during_an_exercise(ran: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    up(step="etcd")
    monkeypatch.setattr(
        "lab.operations.exercises.during_exercise.read_exercise",
        lambda folder: cast(ExerciseRecord, SimpleNamespace(name="e")),
    )
    with pytest.raises(WrongUseError, match="the exercise e runs in the lab a"):
        steps_of_lab(lab_folder("a"))
