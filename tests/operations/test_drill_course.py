"""Whole drills, on a cluster that is three dictionaries behind real TLS, in time that runs fast."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast
from xml.etree import ElementTree

import pytest

from lab.cluster.secrets import ClusterSecrets, load_or_make_secrets
from lab.cluster.tuning import settings_of
from lab.drills import observation
from lab.drills.configured import configured_of
from lab.drills.drill import Found, Works
from lab.drills.judgement import Held
from lab.drills.plot import plot_svg
from lab.drills.registry import drill_named
from lab.drills.report import Report
from lab.drills.words import report_text
from lab.foundation.errors import LabError
from lab.foundation.progress import SilentProgress
from lab.machines.machines import Machines
from lab.nodes.connection import Result, Script
from lab.nodes.pool import Nodes, in_parallel
from lab.nodes.runtimes import Containerd
from lab.operations.context import Lab
from lab.operations.drills import course, watch
from lab.operations.drills.course import Conduct
from lab.operations.drills.course import Tested as OnLab
from lab.operations.drills.watch import Watch
from lab.topology.loader import load_topology
from lab.topology.models import Tuning
from lab.topology.plan import NodePlan, Plan
from lab.topology.planner import make_plan
from tests.conftest import TOPOLOGIES
from tests.drills.small_cluster import SmallCluster, SmallSite

FAST = 10.0
"""How many seconds pass in one."""


class FastClock:
    def now(self) -> float:
        return time.monotonic() * FAST

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / FAST)


class Hands:
    """Machines and nodes of the small cluster: what a drill does to them comes to pass there."""

    def __init__(self, cluster: SmallCluster, *, after: float = 5.0) -> None:
        """The cluster fails over so many seconds after it was hurt."""
        self.cluster = cluster
        self.after = after
        self.done: list[str] = []
        self.backup: set[str] = set()
        self.named: tuple[str, ...] = ()
        """Who still names a control plane that was replaced."""
        self.over: tuple[str, ...] = ()
        """What is said of certificates that have run out."""

    def power_off(self, node: str) -> None:
        self.cluster.machines_down.add(node)
        self._later()

    def power_on(self, node: str) -> None:
        self.cluster.machines_down.discard(node)

    def replace(self, node: NodePlan) -> Found:
        self.done.append(f"replace {node.name}")
        self.power_on(node.name)
        return Found(self.named, "two nodes")

    def renew(self) -> Found:
        self.done.append("renew")
        return Found((), "18 ports")

    def let_expire(self, node: NodePlan) -> None:
        self.over = (f"kube-apiserver on {node.name} serves a certificate that ran out",)

    def put_back(self, node: NodePlan) -> None:
        self.over = ()

    def expired(self) -> Found:
        return Found(self.over, "three nodes")

    def on_each(self, nodes: tuple[NodePlan, ...], work: Callable[[NodePlan], Any]) -> dict[str, Any]:
        return in_parallel({node.name: lambda node=node: work(node) for node in nodes})  # type: ignore[misc]

    def __getitem__(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(run=lambda script, timeout: self._run(name, script))

    def _run(self, node: str, script: Script) -> Result:
        self.done.append(script.name)
        down = {"etcd": self.cluster.members_down, "kube-apiserver": self.cluster.servers_down}
        verb, program, *_ = script.name.split()
        if verb == "stop":
            down[program].add(node)
            self._later()
        elif verb == "start" and program in down:
            down[program].discard(node)
            self.cluster.fail_over()
        elif script.name.startswith("back up etcd"):
            self.backup = set(self.cluster.stored)
        elif script.name.startswith("restore etcd"):
            self.cluster.stored.clear()
            self.cluster.stored.update(self.backup)
        elif program == "keepalived":
            self.cluster.holder = "k8s-master2" if verb == "kill" else "k8s-master1"
        return Result(node, 0, "", "")

    def _later(self) -> None:
        threading.Timer(self.after / FAST, self.cluster.fail_over).start()


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> ClusterSecrets:
    return load_or_make_secrets(tmp_path_factory.mktemp("course") / "secrets.json")


@pytest.fixture(scope="module")
def three() -> Plan:
    return make_plan(load_topology(TOPOLOGIES / "ha-3node.yaml"))


@pytest.fixture
def cluster(three: Plan, secrets: ClusterSecrets, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallCluster]:
    made = SmallCluster(three, secrets)

    class Holder:
        def __init__(self, plan: Plan, site: object) -> None: ...

        def __call__(self) -> frozenset[str]:
            return frozenset({made.holder} - made.machines_down)

        def close(self) -> None: ...

    monkeypatch.setattr(watch, "HolderSource", Holder)
    monkeypatch.setattr(watch, "READ_BACK_SECONDS", 0.1)
    monkeypatch.setattr(course, "LOOK", 0.01)
    monkeypatch.setattr(course, "CALM", 2)
    monkeypatch.setattr(observation, "CALM", 2)
    monkeypatch.setattr(course, "allowed_gap", lambda drill, configured: 1.0)
    monkeypatch.setattr(course, "MORE_SECONDS", 2.0)
    for limit in ("WELL_SECONDS", "WHOLE_SECONDS"):
        monkeypatch.setattr(course, limit, 20.0)
    yield made
    made.close()


def run(cluster: SmallCluster, name: str, hands: Hands, saved: list[str] | None = None) -> Report:
    settings = settings_of(cluster.plan.kubernetes, Containerd(), emulated=False, control_planes=3)
    lab = SimpleNamespace(
        plan=cluster.plan,
        tuning=Tuning.STOCK,
        site=SmallSite(cluster),
        membership=SimpleNamespace(secrets=cluster.secrets),
    )
    clock = FastClock()
    watched = Watch(cast(Lab, lab), clock, lambda _: None, 1.0)
    tested = OnLab(
        drill_named(name),
        "a",
        "flannel-vxlan",
        configured_of(settings),
        cluster.plan,
        cast(Nodes, hands),
        cast(Machines, hands),
        cast(Works, hands),
    )
    with watched:
        return Conduct(tested, watched, clock, SilentProgress()).run(
            lambda: (saved if saved is not None else []).append("saved"), lambda _: None
        )


def claims(report: Report) -> dict[str, Held]:
    return {judgement.claim: judgement.held for judgement in report.judgements}


def test_a_control_plane_without_power(cluster: SmallCluster) -> None:
    saved: list[str] = []
    report = run(cluster, "power-off", Hands(cluster), saved)
    assert report.held is Held.YES, report_text(report)
    assert saved == ["saved"]
    assert report.nodes == ("k8s-master1",)
    assert report.gap.longest >= 3
    assert report.gap.in_vain >= 1
    moved = {change.what: change.to for change in report.changes}
    assert moved["etcd's leader"] == moved["kube-scheduler"] == "k8s-master2"
    text = report_text(report)
    assert "Verdict: passed" in text
    assert "elections)" in text
    picture = ElementTree.fromstring(plot_svg(report))  # noqa: S314 - its own
    assert picture.findtext("{http://www.w3.org/2000/svg}title") == "Drill power-off: passed"
    said = json.loads(json.dumps(report.as_json()))
    assert said["verdict"] == "holds"
    assert said["times"]["injured"] == 0
    assert {row["api"]["outcome"] for row in said["rows"]} >= {"answered", "no answer"}


def test_a_quorum_that_is_lost_and_comes_back(cluster: SmallCluster) -> None:
    report = run(cluster, "quorum", Hands(cluster))
    assert report.held is Held.YES, report_text(report)
    assert len(report.nodes) == 2
    assert claims(report)["without a majority nothing was acknowledged"] is Held.YES


@pytest.mark.parametrize("name", ["address-holder", "api-server", "etcd-leader"])
def test_what_the_cluster_recovers_from_by_itself(cluster: SmallCluster, name: str) -> None:
    report = run(cluster, name, Hands(cluster))
    assert report.held is Held.YES, report_text(report)


def test_etcd_goes_back_to_its_backup(cluster: SmallCluster) -> None:
    hands = Hands(cluster)
    report = run(cluster, "etcd-restore", hands)
    assert report.held is Held.YES, report_text(report)
    assert claims(report)["what was written after the backup is gone"] is Held.YES
    assert [name for name in hands.done if name.startswith("fetch")]


def test_a_restore_that_restores_nothing_is_told(cluster: SmallCluster) -> None:
    class Forgetful(Hands):
        def _run(self, node: str, script: Script) -> Result:
            if script.name.startswith("restore"):
                return Result(node, 0, "", "")
            return super()._run(node, script)

    report = run(cluster, "etcd-restore", Forgetful(cluster))
    assert claims(report)["what was written after the backup is gone"] is Held.NO
    assert report.held is Held.NO


def test_a_dead_control_plane_is_replaced(cluster: SmallCluster) -> None:
    hands = Hands(cluster)
    report = run(cluster, "replace", hands)
    assert report.held is Held.YES, report_text(report)
    assert (report.nodes, hands.done) == (("k8s-master1",), ["replace k8s-master1"])
    assert "no file, object or member of etcd names it (two nodes)" in report_text(report)


def test_who_still_names_the_dead_one_is_told(cluster: SmallCluster) -> None:
    hands = Hands(cluster)
    hands.named = ("/etc/hosts on k8s-master2",)
    report = run(cluster, "replace", hands)
    assert report.held is Held.NO
    assert "names it (/etc/hosts on k8s-master2)" in report_text(report)


def test_certificates_are_renewed(cluster: SmallCluster) -> None:
    report = run(cluster, "renew-certificates", Hands(cluster))
    assert report.held is Held.YES, report_text(report)
    assert claims(report)["every port serves another certificate than before"] is Held.YES
    assert "what the drill does was seen to happen" not in claims(report)


def test_a_certificate_runs_out(cluster: SmallCluster) -> None:
    report = run(cluster, "expire", Hands(cluster))
    assert report.held is Held.YES, report_text(report)
    assert claims(report)["all works again once it was put right"] is Held.YES


def test_a_certificate_that_nobody_speaks_of_is_not_passed(cluster: SmallCluster) -> None:
    class Silent(Hands):
        def let_expire(self, node: NodePlan) -> None:
            """Nothing is seen of it."""

    report = run(cluster, "expire", Silent(cluster))
    assert claims(report)["`lab status` says whose certificate ran out, where, and since when"] is Held.NO


def test_a_lost_write_is_told(cluster: SmallCluster) -> None:
    cluster.forgets = True
    report = run(cluster, "leader-moves", Hands(cluster))
    assert report.held is Held.NO
    assert claims(report)["no write that was acknowledged is lost"] is Held.NO
    assert "lacks" in report_text(report)


def test_what_was_not_done_is_not_passed(cluster: SmallCluster) -> None:
    class Idle(Hands):
        def power_off(self, node: str) -> None:
            """The machine goes on."""

    report = run(cluster, "power-off", Idle(cluster))
    assert report.held is Held.NO
    assert claims(report)["what the drill does was seen to happen"] is Held.NO


def test_a_cluster_that_does_not_recover_is_told(cluster: SmallCluster) -> None:
    class Helpless(Hands):
        def _later(self) -> None:
            """Nobody takes over."""

    report = run(cluster, "power-off", Helpless(cluster))
    assert report.held is Held.NO
    assert claims(report)["all works again, by itself"] is Held.NO


def test_no_drill_begins_on_a_lab_that_is_not_well(
    cluster: SmallCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(course, "WELL_SECONDS", 2.0)
    cluster.members_down = {"k8s-master3"}
    saved: list[str] = []
    with pytest.raises(LabError, match="the lab is not well") as caught:
        run(cluster, "power-off", Hands(cluster), saved)
    assert "etcd on k8s-master3" in str(caught.value.details)
    assert saved == []
