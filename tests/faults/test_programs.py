"""Faults of programs and of objects, in a cluster that is a few objects in memory."""

from __future__ import annotations

import copy
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from lab.cluster.objects import PodState
from lab.cluster.readiness import COREDNS, KUBE_PROXY
from lab.faults import programs
from lab.faults.registry import fault_named
from lab.foundation.errors import LabError
from lab.foundation.wait import TimedOutError
from lab.modes.flannel import DAEMONS
from lab.topology.models import Installer
from lab.topology.plan import NodePlan, Plan
from tests.faults.site_stand_ins import BashNode, MakeSite, MemoryApi

DAEMON_SET: dict[str, Any] = {
    "metadata": {"generation": 1},
    "spec": {
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "main",
                        "image": "i",
                        "args": ["--ip-masq", "--iface=$(NODE_ADDRESS)"],
                        "env": [{"name": "A"}],
                    }
                ]
            }
        },
    },
}


def pods_as_scheduled(name: str, path: str, plan: Plan) -> Any:
    """A DaemonSet's pods: one on each node that its affinity does not turn away."""

    def pods(api: MemoryApi) -> list[PodState]:
        affinity = json.dumps(api.objects[path]["spec"]["template"]["spec"].get("affinity"))
        return [
            PodState(f"{name}-{index}", node.name, "Running", True, (), {})
            for index, node in enumerate(plan.nodes)
            if node.name not in affinity
        ]

    return pods


@pytest.fixture
def metrics(node: BashNode, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What kube-proxy tells of its rules: a file that holds the present time, written again and again."""
    node.bash("mkdir /run/metrics")
    monkeypatch.setattr(programs, "METRICS", "file:///run/metrics/now")
    ended = threading.Event()

    def write() -> None:
        while not ended.wait(0.1):
            line = f"kubeproxy_sync_proxy_rules_last_timestamp_seconds {time.time():.12e}"
            node.bash(f"echo '{line}' >/run/metrics/now")

    writer = threading.Thread(target=write)
    writer.start()
    yield
    ended.set()
    writer.join()


def test_kube_proxy_leaves_one_node_and_comes_back(
    site: MakeSite, node: BashNode, worker: NodePlan, plan: Plan, metrics: None
) -> None:
    api = MemoryApi({KUBE_PROXY.path: copy.deepcopy(DAEMON_SET)})
    api.pods_of = pods_as_scheduled("kube-proxy", KUBE_PROXY.path, plan)
    here, fault = site("macvlan", node=node, api=api), fault_named("kube-proxy-gone")
    before = fault.remember(here, worker)
    for _ in range(2):
        fault.inject(here, worker, before)
        assert {pod.node for pod in api.pods("kube-system")} == {"k8s-master1", "k8s-node1"}
        assert api.objects[KUBE_PROXY.path]["spec"]["updateStrategy"] == {"type": "OnDelete"}
    for _ in range(2):
        fault.clear(here, worker, before)
        assert api.objects[KUBE_PROXY.path] == DAEMON_SET
        assert len(api.pods("kube-system")) == 3


def test_the_modes_daemon_leaves_one_node(
    site: MakeSite, node: BashNode, worker: NodePlan, plan: Plan
) -> None:
    api = MemoryApi({DAEMONS.path: copy.deepcopy(DAEMON_SET)})
    api.pods_of = pods_as_scheduled("kube-flannel-ds", DAEMONS.path, plan)
    here, fault = site("flannel-vxlan", node=node, api=api), fault_named("cni-daemon-stopped")
    before = fault.remember(here, worker)
    fault.inject(here, worker, before)
    assert worker.name not in {pod.node for pod in api.pods("kube-flannel")}
    fault.clear(here, worker, before)
    assert api.objects[DAEMONS.path] == DAEMON_SET


def test_a_pod_that_does_not_leave_is_named(
    site: MakeSite, worker: NodePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = MemoryApi({KUBE_PROXY.path: copy.deepcopy(DAEMON_SET)})
    api.pods_of = lambda _: [PodState("kube-proxy-abcde", worker.name, "Running", True, (), {})]
    monkeypatch.setattr("lab.faults.fault.SETTLE_SECONDS", 0.0)
    fault = fault_named("kube-proxy-gone")
    with pytest.raises(TimedOutError) as caught:
        fault.inject(site("macvlan", api=api), worker, {})
    assert "kube-proxy-abcde is still on k8s-node2" in (caught.value.details or "")


START_KUBE_PROXY = """
cp $(command -v sleep) /run/kube-proxy
(setsid /run/kube-proxy 600 >/dev/null 2>&1 </dev/null &)
until [ -n "$(ps -o pid= -C kube-proxy)" ]; do sleep 0.05; done
"""


def state_of_kube_proxy(node: BashNode) -> str:
    return node.bash("ps -o stat= -C kube-proxy")[0]


def replaced_when_deleted(node: NodePlan) -> MemoryApi:
    """A cluster whose kube-proxy on the node is kube-proxy-0, and each time it is deleted the next one."""
    api = MemoryApi()
    api.pods_of = lambda api: [
        PodState(f"kube-proxy-{len(api.deleted)}", node.name, "Running", True, (), {}),
        PodState("kube-proxy-other", "k8s-master1", "Running", True, (), {}),
    ]
    return api


def test_kube_proxy_is_halted_and_replaced(
    site: MakeSite, node: BashNode, worker: NodePlan, metrics: None
) -> None:
    node.bash(START_KUBE_PROXY)
    api, fault = replaced_when_deleted(worker), fault_named("kube-proxy-halted")
    here = site("macvlan", node=node, api=api)
    for _ in range(2):
        fault.inject(here, worker, {})
        assert state_of_kube_proxy(node) == "T"
    for _ in range(2):
        fault.clear(here, worker, {})
        assert state_of_kube_proxy(node) in ("R", "S"), "a halted process does not end when asked to"
    pods = "/api/v1/namespaces/kube-system/pods"
    assert api.deleted == [f"{pods}/kube-proxy-0", f"{pods}/kube-proxy-1"]


def test_clearing_goes_on_where_kube_proxy_was_just_deleted(
    site: MakeSite, node: BashNode, worker: NodePlan, metrics: None
) -> None:
    """Ended in the middle and run again, before the new process is there."""
    here = site("macvlan", node=node, api=replaced_when_deleted(worker))
    fault_named("kube-proxy-halted").clear(here, worker, {})


def test_a_kube_proxy_that_nobody_replaces_is_named(
    site: MakeSite, node: BashNode, worker: NodePlan, metrics: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = MemoryApi()
    api.pods_of = lambda _: [PodState("kube-proxy-0", worker.name, "Running", True, (), {})]
    monkeypatch.setattr("lab.faults.fault.SETTLE_SECONDS", 0.0)
    with pytest.raises(TimedOutError) as caught:
        fault_named("kube-proxy-halted").clear(site("macvlan", node=node, api=api), worker, {})
    assert "no new pod of daemonset kube-system/kube-proxy" in (caught.value.details or "")


def test_without_kube_proxy_there_is_nothing_to_halt(
    site: MakeSite, node: BashNode, worker: NodePlan
) -> None:
    with pytest.raises(LabError, match="exit status 1") as caught:
        fault_named("kube-proxy-halted").inject(site("macvlan", node=node), worker, {})
    assert caught.value.details == "there is no process kube-proxy"


def test_rules_that_are_older_than_the_clearing_are_waited_for(
    site: MakeSite, node: BashNode, worker: NodePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never by time alone: with a kube-proxy that writes nothing, clearing does not end well."""
    node.bash(START_KUBE_PROXY)
    node.bash("echo 'kubeproxy_sync_proxy_rules_last_timestamp_seconds 1.7e+09' >/run/metrics")
    monkeypatch.setattr(programs, "METRICS", "file:///run/metrics")
    monkeypatch.setattr("lab.faults.fault.SETTLE_SECONDS", 0.0)
    here = site("macvlan", node=node, api=replaced_when_deleted(worker))
    with pytest.raises(TimedOutError) as caught:
        fault_named("kube-proxy-halted").clear(here, worker, {})
    assert "has not written its rules yet" in (caught.value.details or "")


def test_coredns_is_scaled_to_zero_and_back(site: MakeSite, worker: NodePlan) -> None:
    api = MemoryApi({COREDNS.path: {"spec": {"replicas": 2}}})
    api.pods_of = lambda api: [
        PodState(f"coredns-{index}", "k8s-node1", "Running", True, (), {})
        for index in range(api.objects[COREDNS.path]["spec"]["replicas"])
    ]
    here, fault = site("macvlan", api=api), fault_named("coredns-zero")
    before = fault.remember(here, worker)
    fault.inject(here, worker, before)
    assert api.pods("kube-system") == []
    fault.clear(here, worker, before)
    assert len(api.pods("kube-system")) == 2


def test_a_node_without_its_label_leaves_the_underlay_network(site: MakeSite, worker: NodePlan) -> None:
    path, network = (
        f"/api/v1/nodes/{worker.name}",
        "/apis/networking.alibaba.com/v1/networks/underlay-network1",
    )
    api = MemoryApi({path: {"metadata": {"labels": {"network": "underlay-nethost"}}}, network: {}})

    def manager(api: MemoryApi) -> None:
        labelled = "network" in api.objects[path]["metadata"]["labels"]
        api.objects[network] = {"status": {"nodeList": [worker.name] if labelled else []}}

    api.merged = manager
    here, fault = site("hybridnet", api=api), fault_named("label-missing")
    fault.inject(here, worker, {})
    assert api.objects[path]["metadata"]["labels"] == {}
    fault.clear(here, worker, {})
    assert api.objects[path]["metadata"]["labels"] == {"network": "underlay-nethost"}


def test_flannel_uses_the_wrong_nic_on_all_nodes(site: MakeSite, worker: NodePlan, plan: Plan) -> None:
    nodes: dict[str, dict[str, Any]] = {f"/api/v1/nodes/{node.name}": {"metadata": {}} for node in plan.nodes}
    api = MemoryApi({DAEMONS.path: copy.deepcopy(DAEMON_SET), **copy.deepcopy(nodes)})

    def flannel(api: MemoryApi) -> None:
        word = api.objects[DAEMONS.path]["spec"]["template"]["spec"]["containers"][0]["args"][-1]
        for node in plan.nodes:
            devices = {f"--iface={nic.device}": nic.primary.ip for nic in node.nics}
            address = {**devices, "--iface=$(NODE_ADDRESS)": node.internal_address}[word]
            api.objects[f"/api/v1/nodes/{node.name}"]["metadata"] = {
                "annotations": {"flannel.alpha.coreos.com/public-ip": str(address)}
            }

    api.merged = flannel
    here, fault = site("flannel-host-gw", api=api), fault_named("wrong-nic")
    before = fault.remember(here, worker)
    for _ in range(2):
        fault.inject(here, worker, before)
        spec = api.objects[DAEMONS.path]["spec"]
        (container,) = spec["template"]["spec"]["containers"]
        assert container["args"] == ["--ip-masq", "--iface=eth0"]
        assert container["env"] == [{"name": "A"}]
        assert spec["updateStrategy"] == DAEMON_SET["spec"]["updateStrategy"]
    fault.clear(here, worker, before)
    assert api.objects[DAEMONS.path] == DAEMON_SET


def test_a_clock_goes_back_an_hour_and_is_set_right(site: MakeSite, worker: NodePlan) -> None:
    class Clock:
        """A node with nothing but a clock, and the machine around it that sets it."""

        offset = 0.0

        def __getitem__(self, name: str) -> Clock:
            return self

        def run(self, what: Any, **more: object) -> Any:
            if "--set" in what.text:
                self.offset = float(what.text.split("@")[1].split()[0]) - time.time()
            return type("Result", (), {"stdout": f"{time.time() + self.offset}"})

        def set_time(self) -> None:
            self.offset = 0.0

    clock = Clock()
    here = site("macvlan", machines=clock)
    object.__setattr__(here, "nodes", clock)
    fault = fault_named("clock-off")
    for _ in range(2):
        fault.inject(here, worker, {})
        assert -3602 < clock.offset < -3598
    fault.clear(here, worker, {})
    assert abs(clock.offset) < 1


SYSTEMCTL = """\
mount -t tmpfs tmpfs /usr/local/bin
cat > /usr/local/bin/systemctl <<'END'
#!/bin/bash
echo "$*" >> /run/systemctl
END
chmod +x /usr/local/bin/systemctl
touch /run/systemctl
"""


def test_a_kube_proxy_that_is_a_unit_is_stopped_and_started(
    site: MakeSite, node: BashNode, worker: NodePlan, plan: Plan, metrics: None
) -> None:
    """In a cluster from binaries, where no object of the API is it."""
    node.bash(SYSTEMCTL)
    here, fault = site("macvlan", node=node), fault_named("kube-proxy-gone")
    here = replace(here, plan=plan.by(Installer.BINARY))
    before = fault.remember(here, worker)
    fault.inject(here, worker, before)
    assert node.bash("cat /run/systemctl") == "--quiet disable --now kube-proxy.service"
    fault.clear(here, worker, before)
    asked = ["--quiet enable kube-proxy.service", "restart kube-proxy.service"]
    assert node.bash("cat /run/systemctl").splitlines()[1:] == asked


def test_a_halted_kube_proxy_that_is_a_unit_goes_on_and_starts_anew(
    site: MakeSite, node: BashNode, worker: NodePlan, plan: Plan, metrics: None
) -> None:
    node.bash(SYSTEMCTL + START_KUBE_PROXY)
    here, fault = site("macvlan", node=node), fault_named("kube-proxy-halted")
    here = replace(here, plan=plan.by(Installer.BINARY))
    fault.inject(here, worker, {})
    assert state_of_kube_proxy(node) == "T"
    fault.clear(here, worker, {})
    assert state_of_kube_proxy(node) in ("R", "S"), "a halted process does not end when asked to"
    assert node.bash("cat /run/systemctl").splitlines()[-1] == "restart kube-proxy.service"
