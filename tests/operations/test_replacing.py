"""A control plane that is gone: what names it is taken away, looked for, and put back."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from lab.cluster.api import ClusterApi
from lab.cluster.balancer import balancer_files
from lab.cluster.binaries.control_plane import EXISTING, etcd
from lab.cluster.binaries.work import Installation
from lab.cluster.credentials import api_server_addresses, api_server_names
from lab.cluster.kubeadm import Membership
from lab.cluster.programs import FUNCTIONS
from lab.cluster.secrets import ClusterSecrets, load_or_make_secrets
from lab.cluster.tuning import settings_of
from lab.foundation.errors import WrongUseError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.nodes.connection import Result, Script
from lab.nodes.runtimes import Containerd
from lab.operations.context import Lab
from lab.operations.etcd_members import EtcdMembers
from lab.operations.replacing import forgetting, replace, traces
from lab.operations.replacing.forgetting import forget, know_again, rewriting
from lab.operations.replacing.replace import not_replaceable, replace_control_plane, replace_node
from lab.operations.replacing.traces import mentions, traces_of, wait_until_forgotten
from lab.state.records import LabRecord, save_topology, write_record
from lab.topology.loader import find_topology, load_topology
from lab.topology.models import Installer, Tuning
from lab.topology.plan import NodePlan, Plan
from lab.topology.planner import make_plan
from tests.cluster.api_server import ApiServer
from tests.conftest import TOPOLOGIES
from tests.drills.small_cluster import SmallCluster, SmallSite
from tests.local_nginx import ha_5node_with_local_nginx

CONFIG = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config"
GONE = "k8s-master2"


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> ClusterSecrets:
    return load_or_make_secrets(tmp_path_factory.mktemp("replacing") / "secrets.json")


@pytest.fixture(scope="module")
def three() -> Plan:
    return make_plan(load_topology(TOPOLOGIES / "ha-3node.yaml"))


@dataclass
class Told:
    """Nodes that note what they are to run, and say what they are told to."""

    plan: Plan
    ran: list[tuple[str, Script]] = field(default_factory=list)
    say: dict[str, str] = field(default_factory=dict)
    """By node, to whoever looks for files."""

    def __getitem__(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(run=lambda script, timeout=0.0: self._run(name, script))

    def on_each(self, nodes: tuple[NodePlan, ...], work: Callable[[NodePlan], Any]) -> dict[str, Any]:
        return {node.name: work(node) for node in nodes}

    def _run(self, node: str, script: Script) -> Result:
        self.ran.append((node, script))
        return Result(node, 0, self.say.get(node, "") if script.name.startswith("look") else "", "")


@dataclass
class Small:
    """A lab of stand-ins: nodes that are told things, etcd in memory, an API that answers as it was told."""

    lab: Lab
    nodes: Told
    cluster: SmallCluster
    server: ApiServer

    @property
    def gone(self) -> NodePlan:
        return self.lab.node_named(GONE)


@pytest.fixture
def small(three: Plan, secrets: ClusterSecrets, tmp_path: Path) -> Iterator[Small]:
    server, cluster, nodes = ApiServer(), SmallCluster(three, secrets), Told(three)
    server.write_kubeconfig(tmp_path / "kubeconfig")
    names = [*api_server_names(three), *map(str, api_server_addresses(three))]
    document = yaml.safe_dump({"kind": "ClusterConfiguration", "apiServer": {"certSANs": names}})
    server.answers[f"GET {CONFIG}"] = 200, {"data": {"ClusterConfiguration": document}}
    server.answers[f"PATCH {CONFIG}"] = 200, {}
    for path in traces.OBJECTS:
        server.answers[f"GET {path}"] = 200, {"items": []}
    settings = settings_of(three.kubernetes, Containerd(), emulated=False, control_planes=3)
    membership = Membership(Containerd(), secrets, settings)
    lab = SimpleNamespace(
        plan=three,
        tuning=Tuning.STOCK,
        nodes=nodes,
        site=SmallSite(cluster),
        membership=membership,
        secrets=secrets,
        installation=Installation(three, membership, ()),
        record=SimpleNamespace(images=()),
        progress=SilentProgress(),
        node_named=lambda name: next(node for node in three.nodes if node.name == name),
        api=ClusterApi(tmp_path / "kubeconfig", SmallSite(cluster)),
    )
    yield Small(cast(Lab, lab), nodes, cluster, server)
    cluster.close()
    server.close()


@pytest.fixture
def api_through_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in of the API is on loopback, where the small cluster leads to nobody."""
    whole = SmallCluster.connect

    def connect(self: SmallCluster, address: str, port: int, seconds: float | None) -> Any:
        if address == "127.0.0.1":
            return socket.create_connection((address, port), seconds)
        return whole(self, address, port, seconds)

    monkeypatch.setattr(SmallCluster, "connect", connect)


def run_in(folder: Path, text: str) -> str:
    """A script whose absolute paths lie in that folder, and for which systemctl says what it is told."""
    for top in ("/etc/", "/usr/local/"):
        text = text.replace(top, f"{folder}{top}")
    script = f'set -euo pipefail\nsystemctl() {{ echo "systemctl $*"; }}\n{text}'
    return subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True).stdout


def test_files_name_no_control_plane_that_is_gone_and_know_it_again(small: Small, tmp_path: Path) -> None:
    plan, node = small.lab.plan, small.lab.node_named("k8s-master1")
    (tmp_path / "etc/kubernetes/lab").mkdir(parents=True)
    kubeadm = tmp_path / "etc/kubernetes/lab/kubeadm.yaml"
    kubeadm.write_text(f"certSANs:\n- {GONE}\n- 172.31.7.102\n- 172.31.7.10\n- k8s-master22\n")
    rest = plan.without(small.gone)
    said = run_in(tmp_path, rewriting(small.lab, rest, node, (small.gone,)).text)
    assert "systemctl reload-or-restart haproxy.service" in said
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in files if "172.31.7.102" in path.read_text()]
    assert kubeadm.read_text() == "certSANs:\n- 172.31.7.10\n- k8s-master22\n"
    run_in(tmp_path, rewriting(small.lab, plan, node, plan.control_planes).text)
    haproxy = next(file for file in balancer_files(plan, node, Tuning.STOCK) if "haproxy" in file.path)
    written = (tmp_path / "etc/haproxy/haproxy.cfg").read_text()
    assert written.replace(str(tmp_path), "") == haproxy.content
    assert f"172.31.7.102 {GONE}" in (tmp_path / "etc/hosts").read_text()


def test_a_worker_has_no_load_balancer_or_one_of_its_own(small: Small) -> None:
    five, local = make_plan(load_topology(TOPOLOGIES / "ha-5node.yaml")), ha_5node_with_local_nginx()
    for plan, unit in ((five, ""), (local, "nginx.service")):
        cast(Any, small.lab).plan = plan
        gone, worker = plan.control_planes[1], plan.workers[0]
        text = rewriting(small.lab, plan.without(gone), worker, (gone,)).text
        assert ("reload-or-restart" in text) is bool(unit)
        assert unit in text
        assert f"{gone.internal_address} " not in text
        assert f"{gone.internal_address}:6443" not in text


@pytest.mark.parametrize(
    "members",
    [("a", "gone", "b"), ("gone", "a"), ("a", "gone"), ("a",)],
)
def test_etcd_is_started_anew_only_where_its_file_named_the_member(
    small: Small, tmp_path: Path, members: tuple[str, ...]
) -> None:
    folder = tmp_path / "etc/kubernetes/manifests"
    folder.mkdir(parents=True)
    (tmp_path / "etc/kubernetes/lab").mkdir()
    urls = {
        "a": "k8s-master1=https://172.31.7.101:2380",
        "gone": f"{GONE}=https://172.31.7.102:2380",
        "b": "k8s-master3=https://172.31.7.103:2380",
    }
    line = "    - --initial-cluster={}\n"
    (folder / "etcd.yaml").write_text(line.format(",".join(urls[each] for each in members)))
    script = forgetting._other_members(small.lab, small.lab.node_named("k8s-master1"), small.gone)
    said = run_in(
        tmp_path, script.text.replace(FUNCTIONS, "pid_of() { :; }\nuntil_works() { echo waited; }\n")
    )
    left = ",".join(urls[each] for each in members if each != "gone")
    assert (folder / "etcd.yaml").read_text() == line.format(left)
    assert ("waited" in said) is ("gone" in members)
    assert [path.name for path in (tmp_path / "etc/kubernetes").rglob("*") if path.is_file()] == ["etcd.yaml"]


@pytest.mark.usefixtures("api_through_here")
def test_a_control_plane_that_is_off_is_forgotten(small: Small) -> None:
    pod = {"metadata": {"namespace": "kube-system", "name": f"etcd-{GONE}"}}
    small.server.answers["GET /api/v1/pods"] = 200, {"items": [pod]}
    leases = "/apis/coordination.k8s.io/v1/namespaces"
    lease = {"metadata": {"namespace": "kube-system", "name": "apiserver-of-it"}}
    small.server.answers[f"GET {leases}/kube-system/leases"] = 200, {"items": [lease]}
    small.cluster.machines_down.add(GONE)
    member = forget(small.lab, small.gone, SilentProgress().step("forget"))
    assert member is not None
    assert (member.identity, member.hexadecimal) == ("12", "c")
    assert small.cluster.removed == {GONE}
    assert {node for node, _ in small.nodes.ran} == {"k8s-master1", "k8s-master3"}
    deleted = {asked.path: asked.query for asked in small.server.asked if asked.method == "DELETE"}
    assert set(deleted) == {
        f"/api/v1/nodes/{GONE}",
        f"{leases}/kube-node-lease/leases/{GONE}",
        f"{leases}/kube-system/leases/apiserver-of-it",
        f"/api/v1/namespaces/kube-system/pods/etcd-{GONE}",
    }
    assert all(query == {"gracePeriodSeconds": ["0"]} for query in deleted.values())
    (said,) = [asked.body for asked in small.server.asked if asked.path == CONFIG and asked.method == "PATCH"]
    names = yaml.safe_load(said["data"]["ClusterConfiguration"])["apiServer"]["certSANs"]
    assert "172.31.7.101" in names
    assert not {GONE, "172.31.7.102"} & set(names)
    again = forget(small.lab, small.gone, SilentProgress().step("forget"))
    assert again is None, "it may be done again, after it was interrupted"
    small.server.answers[f"GET {CONFIG}"] = 503, {"message": "etcd has no leader"}
    answer = 200, {"data": {"ClusterConfiguration": said["data"]["ClusterConfiguration"]}}
    threading.Timer(0.2, lambda: small.server.answers.update({f"GET {CONFIG}": answer})).start()
    know_again(small.lab, SilentProgress().step("know"))
    last = [asked.body for asked in small.server.asked if asked.method == "PATCH"][-1]
    assert "172.31.7.102" in last["data"]["ClusterConfiguration"]


@pytest.mark.usefixtures("api_through_here")
def test_who_still_names_it_is_found(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    slices = "/apis/discovery.k8s.io/v1/endpointslices"
    address = {"metadata": {"namespace": "default", "name": "kubernetes"}, "endpoints": ["172.31.7.102"]}
    small.server.answers[f"GET {slices}"] = 200, {"items": [address]}
    small.nodes.say["k8s-master3"] = "/etc/hosts\n"
    small.cluster.machines_down.add(GONE)
    found = traces_of(small.lab, small.gone, None)
    assert found.found == (
        "/etc/hosts on k8s-master3",
        "endpointslices default/kubernetes names 172.31.7.102",
        f"etcd on k8s-master1 knows a member of {GONE}",
        f"etcd on k8s-master3 knows a member of {GONE}",
    )
    monkeypatch.setattr(traces, "FORGOTTEN_SECONDS", 0.1)
    assert wait_until_forgotten(small.lab, small.gone, None).found == found.found
    small.server.answers[f"GET {slices}"] = 200, {"items": []}
    small.nodes.say.clear()
    member = EtcdMembers(small.lab).of(small.gone, small.lab.plan.first_control_plane)
    small.cluster.removed.add(GONE)
    clean = wait_until_forgotten(small.lab, small.gone, member)
    assert (clean.found, clean.nodes, clean.members) == ((), 2, 2)


@pytest.mark.parametrize(
    ("text", "word", "named"),
    [
        ("https://172.31.7.10:6443", "172.31.7.10", True),
        ("172.31.7.103 172.31.7.1", "172.31.7.10", False),
        ("1172.31.7.10 172.31.7.10.5", "172.31.7.10", False),
        ('"holderIdentity": "k8s-master1_8d0c"', "k8s-master1", True),
        ("k8s-master12 etcd-k8s-master1 k8s-master1-a", "k8s-master1", False),
        ("member 8e9e05c52164694d.", "8e9e05c52164694d", True),
    ],
)
def test_a_name_is_found_as_a_whole(text: str, word: str, named: bool) -> None:
    assert mentions(text, word) is named


def test_the_order_of_a_replacement(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    seen = traces.Traces(("a file",), 2, 3, 2)
    lab = cast(Any, small.lab)
    lab.record = LabRecord("a", mode="flannel-vxlan", supply="packages", created="", ready=True)
    lab.update = lambda record: done.append(f"ready {record.ready}")
    lab.machines = SimpleNamespace(power_off=lambda node: done.append(f"off {node}"))
    for name in ("forget", "make_machine", "join", "know_again"):
        monkeypatch.setattr(replace, name, lambda *_, name=name: done.append(name))

    def nobody_names_it(*_: object) -> traces.Traces:
        done.append("forgotten")
        return seen

    monkeypatch.setattr(replace, "wait_until_forgotten", nobody_names_it)
    monkeypatch.setattr(replace, "run_steps", lambda *_: done.append("steps"))
    assert replace_control_plane(small.lab, small.gone) == seen
    assert done == [
        *("ready False", f"off {GONE}", "forget", "forgotten", "make_machine", "join", "know_again", "steps")
    ]


def test_what_cannot_be_replaced(plan: Plan, three: Plan) -> None:
    local = ha_5node_with_local_nginx()
    assert "only control plane" in not_replaceable(plan, plan.first_control_plane)
    assert "is a worker" in not_replaceable(plan, plan.workers[0])
    assert "find the API by its address" in not_replaceable(local, local.first_control_plane)
    assert {not_replaceable(three, node) for node in three.control_planes} == {""}
    assert not_replaceable(local, local.control_planes[1]) == ""


def test_a_worker_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    folder = LabFolder(tmp_path / "a")
    save_topology(folder, find_topology("underlay-3node"))
    write_record(folder, LabRecord("a", mode="flannel-vxlan", supply="packages", created=""))
    with pytest.raises(WrongUseError, match="k8s-node1 cannot be replaced: k8s-node1 is a worker"):
        replace_node(folder, "k8s-node1", SilentProgress())
    with pytest.raises(WrongUseError, match="has no node k8s-node9"):
        replace_node(folder, "k8s-node9", SilentProgress())


def test_a_member_from_binaries_joins_those_that_are_there(small: Small) -> None:
    plan = small.lab.plan.by(Installer.BINARY)
    of = Installation(plan, small.lab.membership, ())
    (first,), (later,) = (etcd(of, small.gone, *state).files for state in ((), (EXISTING,)))
    assert "--initial-cluster-state=new" in first.content
    assert later.content == first.content.replace("state=new", "state=existing")
