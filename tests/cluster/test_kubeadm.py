"""The scripts are run by a real shell, with the node's folders moved and stand-ins for its programs."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.cluster.kubeadm import (
    TRIES,
    Membership,
    init_script,
    join_script,
    join_workers,
    remove_cluster_script,
)
from lab.cluster.secrets import ClusterSecrets
from lab.cluster.tuning import settings_of
from lab.foundation.progress import SilentProgress
from lab.nodes.connection import LONGEST_SCRIPT, NodeCommandError, Result
from lab.nodes.keys import KeyFiles
from lab.nodes.pool import Nodes
from lab.nodes.runtimes import Containerd
from lab.topology.loader import load_topology
from lab.topology.plan import Plan
from lab.topology.planner import make_plan
from tests.conftest import TOPOLOGIES
from tests.stand_in_site import Here

MOVED = re.compile(r"(?<![\w.])/(etc|var|run|proc)/")


@dataclass(frozen=True)
class Node:
    """A folder that stands for a node's root file system; `calls` holds what was run there."""

    root: Path

    def program(self, name: str, body: str = "") -> None:
        path = self.root / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/bash\necho {name} "$@" >> {self.root}/calls\n{body}\n')
        path.chmod(0o755)

    def start(self, script: str) -> subprocess.Popen[str]:
        moved = MOVED.sub(lambda found: f"{self.root}/{found[1]}/", script)
        return subprocess.Popen(
            ["bash", "-c", f"set -euo pipefail\n{moved}"],
            env={"PATH": f"{self.root}/bin:{os.environ['PATH']}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, script: str) -> tuple[int, str, str]:
        child = self.start(script)
        out, err = child.communicate(timeout=30)
        return child.returncode, out, err

    def path(self, name: str) -> Path:
        return self.root / name.lstrip("/")

    @property
    def calls(self) -> list[str]:
        file = self.root / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def called(self, program: str) -> list[str]:
        return [call for call in self.calls if call.split()[0] == program]


@pytest.fixture
def node(tmp_path: Path) -> Node:
    node = Node(tmp_path)
    for name in ("systemctl", "ctr", "umount", "kubectl"):
        node.program(name)
    node.program("kubeadm", "echo '[phase] work'; touch " + f"{tmp_path}/var/lib/kubelet/config.yaml")
    for folder in ("run", "var/log", "var/lib/kubelet", "proc", "etc/cni/net.d"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    (tmp_path / "proc/mounts").write_text("")
    return node


@pytest.fixture
def script(plan: Plan, membership: Membership, tmp_path: Path) -> str:
    return init_script(Nodes(plan, KeyFiles(tmp_path, tmp_path), Here()), membership).text


def test_scripts_fit_into_one_argument(plan: Plan, membership: Membership, tmp_path: Path) -> None:
    nodes = Nodes(plan, KeyFiles(tmp_path, tmp_path), Here())
    for script in (init_script(nodes, membership), join_script(nodes, plan.workers[0], membership)):
        assert len(script.text.encode()) < LONGEST_SCRIPT / 2


def test_with_kubeadms_own_settings_nothing_is_patched(
    node: Node, plan: Plan, membership: Membership, tmp_path: Path
) -> None:
    stock = replace(membership, settings=settings_of(plan.kubernetes, Containerd(), emulated=False))
    status, *_ = node.run(init_script(Nodes(plan, KeyFiles(tmp_path, tmp_path), Here()), stock).text)
    assert status == 0
    assert not any("patch" in call for call in node.calls)
    assert not node.path("/etc/kubernetes/lab/patches").exists()


def test_init_on_a_fresh_node(node: Node, script: str, secrets: ClusterSecrets) -> None:
    status, out, err = node.run(script)
    assert (status, out, err) == (0, "[phase] work\n", "")
    assert node.calls == [
        "systemctl set-property system.slice CPUWeight=25",
        "systemctl set-property init.scope CPUWeight=25",
        f"kubeadm init --config {node.root}/etc/kubernetes/lab/kubeadm.yaml"
        " --skip-phases preflight,certs,kubeconfig,control-plane/controller-manager,control-plane/scheduler",
        f"kubectl --kubeconfig {node.root}/etc/kubernetes/admin.conf --namespace kube-system"
        " patch deployment coredns --field-manager lab"
        f" --patch-file {node.root}/etc/kubernetes/lab/coredns.yaml",
    ]
    assert node.path("/etc/kubernetes/lab/joined").read_text() == secrets.identity
    assert node.path("/etc/kubernetes/manifests").is_dir()
    assert node.path("/etc/kubernetes/pki/ca.crt").read_text() == secrets.authority.certificate
    assert node.path("/etc/kubernetes/lab/kubeadm.yaml").stat().st_mode & 0o777 == 0o600


@pytest.fixture
def later_script(plan: Plan, membership: Membership, tmp_path: Path) -> str:
    """For a kubeadm that waits for all of the control plane."""
    plan = plan.of_version("v1.37.2")
    later = replace(membership, settings=settings_of(plan.kubernetes, Containerd(), emulated=True))
    return init_script(Nodes(plan, KeyFiles(tmp_path, tmp_path), Here()), later).text


def test_all_of_the_control_plane_is_there_before_kubeadm_waits_for_all_of_it(
    node: Node, later_script: str
) -> None:
    node.program("curl", f'[ "$(grep -c ^curl {node.root}/calls)" -gt 2 ]')
    status, out, err = node.run(later_script)
    assert (status, err) == (0, "")
    assert "[phase] work\n" in out
    kubeadm = [call for call in node.calls if call.split()[0] in {"kubeadm", "curl"}]
    configuration = f"--config {node.root}/etc/kubernetes/lab/kubeadm.yaml"
    assert [call.partition(" --skip-phases ")[0] for call in kubeadm if call.startswith("kubeadm")] == [
        f"kubeadm init {configuration}",
        f"kubeadm init phase control-plane controller-manager {configuration}",
        f"kubeadm init phase control-plane scheduler {configuration}",
        f"kubeadm init {configuration}",
    ]
    assert [call.split()[0] for call in kubeadm[1:4]] == ["curl"] * 3
    first, last = (set(call.partition(" --skip-phases ")[2].split(",")) for call in (kubeadm[0], kubeadm[-1]))
    assert {"wait-control-plane", "addon", "control-plane/scheduler"} <= first
    assert not {"etcd", "kubelet-start", "control-plane"} & first
    assert {"etcd", "kubelet-start", "control-plane"} <= last
    assert not {"wait-control-plane", "upload-config", "addon", "mark-control-plane"} & last
    assert first & last == {"preflight", "certs", "kubeconfig"}


def test_what_fails_before_kubeadm_waits_ends_init(node: Node, later_script: str) -> None:
    node.program("curl")
    node.program("kubeadm", '[ "$2" = phase ] && { echo "no manifest" >&2; exit 1; }; exit 0')
    status, _, err = node.run(later_script)
    assert status == 1
    assert "no manifest" in err
    assert not node.path("/etc/kubernetes/lab/joined").exists()


@pytest.mark.parametrize(
    "said",
    [
        "[apiclient] All control plane components are healthy after 60.5 seconds",
        "[api-check] The API server is healthy after 60.5 seconds",
    ],
    ids=["v1.24", "v1.30"],
)
def test_the_other_components_start_when_the_api_server_is_healthy(
    node: Node, script: str, said: str
) -> None:
    node.program(
        "kubeadm",
        f"""[ "$2" = phase ] && exit
sleep 1
[ "$(grep -c ^kubeadm {node.root}/calls)" = 1 ] || exit 7
echo "{said}"
until [ "$(grep -c ^kubeadm {node.root}/calls)" = 3 ]; do sleep 0.1; done""",
    )
    assert node.run(script)[0] == 0
    assert [call.split()[1:5] for call in node.called("kubeadm")[1:]] == [
        ["init", "phase", "control-plane", "controller-manager"],
        ["init", "phase", "control-plane", "scheduler"],
    ]


def test_init_when_it_is_done_does_nothing(node: Node, script: str) -> None:
    node.run(script)
    before = node.calls
    assert node.run(script)[0] == 0
    assert node.calls == before


def test_init_that_failed_tells_the_end_of_the_log_and_leaves_no_mark(node: Node, script: str) -> None:
    node.program("kubeadm", "seq 100; echo the reason; exit 1")
    status, _, err = node.run(script)
    assert status == 1
    assert err.splitlines()[-1] == "the reason"
    assert len(err.splitlines()) == 40
    assert not node.path("/etc/kubernetes/lab/joined").exists()


def test_the_probes_of_coredns_are_changed_at_a_later_try(node: Node, script: str) -> None:
    node.program("kubectl", f"""[ "$(grep -c ^kubectl {node.root}/calls)" = 3 ]""")
    assert node.run(script)[0] == 0
    assert len(node.called("kubectl")) == 3


def test_init_without_the_probes_of_coredns_leaves_no_mark(node: Node, script: str) -> None:
    node.program("kubectl", "echo Unable to connect to the server >&2; exit 1")
    status, _, err = node.run(script)
    assert status == 1
    assert err.splitlines()[-1] == "Unable to connect to the server"
    assert not node.path("/etc/kubernetes/lab/joined").exists()


def test_init_after_a_broken_off_one_starts_afresh(node: Node, script: str) -> None:
    node.program("kubeadm", "exit 1")
    node.run(script)
    stale = node.path("/etc/kubernetes/manifests/stale.yaml")
    stale.touch()
    data = node.path("/var/lib/etcd/member")
    data.mkdir(parents=True)
    node.program("kubeadm", "true")
    assert node.run(script)[0] == 0
    assert not stale.exists()
    assert not data.exists()
    assert "systemctl stop kubelet.service" in node.calls


def test_init_of_another_cluster_replaces_this_one(node: Node, script: str) -> None:
    node.run(script)
    node.path("/etc/kubernetes/lab/joined").write_text("another")
    assert node.run(script)[0] == 0
    assert len(node.called("kubeadm")) == 2


def test_a_second_init_waits_for_the_one_that_still_runs(node: Node, script: str) -> None:
    """As when `lab up` was killed and run again: kubeadm on the node has gone on."""
    node.program("kubeadm", "sleep 2; echo done")
    first = node.start(script)
    while not node.called("kubeadm"):
        time.sleep(0.05)
    assert node.run(script)[0] == 0
    assert first.wait(timeout=1) == 0
    assert len(node.called("kubeadm")) == 1


def test_kubeadm_goes_on_when_the_connection_is_gone(
    node: Node, script: str, secrets: ClusterSecrets
) -> None:
    node.program("kubeadm", "sleep 1; seq 2000; echo done")
    child = node.start(script)
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    child.stderr.close()
    assert child.wait(timeout=30) == 0
    assert node.path("/etc/kubernetes/lab/joined").read_text() == secrets.identity


def test_removal_unmounts_and_empties(node: Node) -> None:
    node.path("/proc/mounts").write_text(
        f"tmpfs {node.root}/var/lib/kubelet/pods/x/volumes/token tmpfs rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n"
    )
    for name in ("/etc/cni/net.d/10-macvlan.conflist", "/var/lib/cni/networks/x", "/var/lib/kubelet/pki/x"):
        node.path(name).parent.mkdir(parents=True, exist_ok=True)
        node.path(name).touch()
    assert node.run(remove_cluster_script(Containerd()))[0] == 0
    assert node.called("umount") == [f"umount {node.root}/var/lib/kubelet/pods/x/volumes/token"]
    left = [path for path in node.root.rglob("*") if path.is_file()]
    assert {path.relative_to(node.root).parts[0] for path in left} == {"bin", "calls", "proc"}


@pytest.fixture
def second(membership: Membership, tmp_path: Path) -> str:
    """The script of a control plane that joins the first."""
    several = make_plan(load_topology(TOPOLOGIES / "ha-3node.yaml"))
    nodes = Nodes(several, KeyFiles(tmp_path, tmp_path), Here())
    return join_script(nodes, several.control_planes[1], membership).text


def test_a_control_plane_has_joined_when_its_own_api_server_is_ready(
    node: Node, second: str, secrets: ClusterSecrets
) -> None:
    node.program("curl", f"""[ "$(grep -c ^curl {node.root}/calls)" = 2 ]""")
    assert node.run(second)[0] == 0
    (join,) = node.called("kubeadm")
    assert join.split()[1:3] == ["join", "--config"]
    assert len(node.called("curl")) == 2
    assert node.called("curl")[0].endswith("https://172.31.7.102:6443/readyz")
    assert node.path("/etc/kubernetes/lab/joined").read_text() == secrets.identity


def test_a_control_plane_that_joins_again_leaves_etcd_first(node: Node, second: str) -> None:
    """While the files are there with which etcd lets it in."""
    node.program("curl")
    manifest = node.path("/etc/kubernetes/manifests/etcd.yaml")
    node.program("kubeadm", f"mkdir -p {manifest.parent}; touch {manifest}; exit 1")
    assert node.run(second)[0] == 1
    node.program(
        "kubeadm", f"""[ "$1" != reset ] || ls {node.root}/etc/kubernetes/pki/etcd/ca.crt {manifest}"""
    )
    assert node.run(second)[0] == 0
    assert [call.split()[1] for call in node.called("kubeadm")] == ["join", "reset", "join"]
    assert node.called("kubeadm")[1].split()[2:4] == ["phase", "remove-etcd-member"]
    assert not manifest.exists()


SLOW = (
    'error uploading crisocket: error patching node "k8s-node2" through apiserver: Patch "https://172.31.7.101'
    ':6443/api/v1/nodes/k8s-node2?timeout=10s": context deadline exceeded (Client.Timeout exceeded while'
    " awaiting headers)"
)
WRONG = "error execution phase preflight: couldn't validate the identity of the API Server"


class FailingNodes:
    """Workers on which kubeadm ends with these words so many times, then well."""

    def __init__(self, plan: Plan, words: str, failures: int) -> None:
        self.plan = plan
        self.runs: Counter[str] = Counter()
        self._words, self._failures = words, failures

    def __getitem__(self, name: str) -> Any:
        def run(script: Any, **_: Any) -> None:
            self.runs[name] += 1
            if self.runs[name] <= self._failures:
                raise NodeCommandError(script, Result(name, 1, "", self._words), "exit status 1")

        return SimpleNamespace(run=run)

    def on_each(self, nodes: Any, work: Callable[[Any], object]) -> None:
        for node in nodes:
            work(node)


def join(nodes: Any, membership: Membership) -> list[str]:
    """What is told while all workers join."""
    told: list[str] = []
    with SilentProgress().step("kubeadm join") as at:
        join_workers(nodes, membership, at, told.append)
    return told


def test_kubeadm_is_run_again_when_the_api_server_was_too_slow(plan: Plan, membership: Membership) -> None:
    nodes = FailingNodes(plan, SLOW, TRIES - 1)
    told = join(nodes, membership)
    assert nodes.runs == {"k8s-node1": TRIES, "k8s-node2": TRIES}
    assert told[0] == (
        "kubeadm join on k8s-node1: the API server did not answer in time (context deadline exceeded);"
        " it is run again, 2 of 3"
    )


def test_an_api_server_that_stays_too_slow_ends_it(plan: Plan, membership: Membership) -> None:
    nodes = FailingNodes(plan, SLOW, TRIES)
    with pytest.raises(NodeCommandError):
        join(nodes, membership)
    assert nodes.runs == {"k8s-node1": TRIES}


def test_any_other_failure_of_kubeadm_ends_it_at_once(plan: Plan, membership: Membership) -> None:
    nodes = FailingNodes(plan, WRONG, 1)
    with pytest.raises(NodeCommandError):
        join(nodes, membership)
    assert nodes.runs == {"k8s-node1": 1}
