"""What nodes of a cluster with several control planes are given."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from cryptography import x509

from lab.cluster.balancer import AUTHORITY, balancer_files, balancer_script, balancing_nodes
from lab.cluster.configuration import init_configuration, join_configuration, own_patches
from lab.cluster.credentials import admin_kubeconfig, control_plane_files
from lab.cluster.kubeadm import Membership, init_script, join_control_planes, join_script
from lab.cluster.secrets import ClusterSecrets
from lab.cluster.tuning import Kind, Part, Settings, settings_of
from lab.foundation.progress import SilentProgress
from lab.nodes.connection import LONGEST_SCRIPT
from lab.nodes.keys import KeyFiles
from lab.nodes.pool import Nodes
from lab.nodes.runtimes import Containerd
from lab.topology.loader import load_topology
from lab.topology.models import LoadBalancer, Tuning
from lab.topology.plan import Plan
from lab.topology.planner import make_plan
from tests.conftest import TOPOLOGIES
from tests.local_nginx import ha_5node_with_local_nginx
from tests.stand_in_site import Here

GOLDEN = Path(__file__).parent / "golden"
COMMON = IPv4Address("172.31.7.100")
Compare = Callable[[Path, str], None]


@pytest.fixture(scope="module")
def balanced() -> Plan:
    """Three control planes and two workers, behind an address of their own."""
    return make_plan(load_topology(TOPOLOGIES / "ha-5node.yaml"))


@pytest.fixture(scope="module")
def local() -> Plan:
    """The same, with nginx on every node."""
    return ha_5node_with_local_nginx()


@pytest.fixture
def several(balanced: Plan) -> Settings:
    return settings_of(balanced.kubernetes, Containerd(), emulated=True, control_planes=3)


def test_the_load_balancer_of_a_plan(plan: Plan, balanced: Plan, local: Plan) -> None:
    assert plan.load_balancer is None
    assert plan.api_on_nodes == plan.kubernetes.api
    assert balanced.load_balancer is LoadBalancer.KEEPALIVED_HAPROXY
    assert balanced.kubernetes.api.authority == balanced.api_on_nodes.authority == "172.31.7.100:8443"
    assert local.load_balancer is LoadBalancer.LOCAL_NGINX
    assert local.kubernetes.api.authority == "172.31.7.101:6443"
    assert local.api_on_nodes.authority == "127.0.0.1:6443"


def test_the_nodes_that_have_one(plan: Plan, balanced: Plan, local: Plan) -> None:
    assert balancing_nodes(plan) == ()
    assert balancing_nodes(balanced) == balanced.control_planes
    assert balancing_nodes(local) == local.nodes


@pytest.mark.parametrize("tuning", [Tuning.STOCK, Tuning.SLOW_HOST])
def test_files_of_keepalived_haproxy(balanced: Plan, tuning: Tuning, compare_with_golden: Compare) -> None:
    files = balancer_files(balanced, balanced.control_planes[1], tuning)
    text = "".join(f"# {file.path}\n{file.content}" for file in files)
    compare_with_golden(GOLDEN / f"keepalived-haproxy-{tuning.value}.txt", text)


def test_files_of_local_nginx(local: Plan, compare_with_golden: Compare) -> None:
    (file,) = balancer_files(local, local.workers[0], Tuning.STOCK)
    compare_with_golden(GOLDEN / "local-nginx.txt", f"# {file.path}\n{file.content}")


def test_the_address_belongs_to_the_first_of_those_that_can_serve(balanced: Plan) -> None:
    """One whose HAProxy knows no API server comes after all that do."""
    priorities = []
    for node in balanced.control_planes:
        lines = balancer_files(balanced, node, Tuning.STOCK)[1].content.split()
        priorities.append(int(lines[lines.index("priority") + 1]))
        lost = -int(lines[lines.index("weight") + 1])
    assert priorities == sorted(priorities, reverse=True)
    assert len(set(priorities)) == 3
    assert max(priorities) - lost < min(priorities)
    assert min(priorities) - lost >= 1
    assert max(priorities) <= 254


def test_a_script_for_every_node_starts_what_it_needs(balanced: Plan, local: Plan) -> None:
    script = balancer_script(balanced, balanced.nodes[0], Tuning.STOCK, "who signs").text
    assert "restart haproxy.service keepalived.service" in script
    assert "restart nginx.service" in balancer_script(local, local.nodes[-1], Tuning.STOCK, "who signs").text


def test_checks_trust_the_cluster_alone(balanced: Plan, local: Plan) -> None:
    haproxy, *_ = balancer_files(balanced, balanced.nodes[0], Tuning.STOCK)
    assert f"check-ssl verify required ca-file {AUTHORITY} " in haproxy.content
    script = balancer_script(balanced, balanced.nodes[0], Tuning.STOCK, "who signs").text
    assert AUTHORITY in script
    assert script != balancer_script(balanced, balanced.nodes[0], Tuning.STOCK, "another").text
    assert AUTHORITY not in balancer_script(local, local.nodes[-1], Tuning.STOCK, "who signs").text


def test_init_names_the_common_address(balanced: Plan, secrets: ClusterSecrets, several: Settings) -> None:
    init, cluster, *_ = yaml.safe_load_all(init_configuration(balanced, Containerd(), secrets, several))
    assert init["localAPIEndpoint"]["advertiseAddress"] == "172.31.7.101"
    assert cluster["controlPlaneEndpoint"] == "172.31.7.100:8443"
    names = {"172.31.7.100", "172.31.7.103", "k8s-master3", "192.168.6.202"}
    assert names <= set(cluster["apiServer"]["certSANs"])


def test_one_control_plane_has_no_common_address(
    plan: Plan, secrets: ClusterSecrets, settings: Settings
) -> None:
    _, cluster, *_ = yaml.safe_load_all(init_configuration(plan, Containerd(), secrets, settings))
    assert "controlPlaneEndpoint" not in cluster


def test_a_control_plane_joins_as_one_and_a_worker_as_a_worker(
    balanced: Plan, secrets: ClusterSecrets, several: Settings
) -> None:
    second, worker = balanced.control_planes[1], balanced.workers[0]
    join = yaml.safe_load(join_configuration(balanced, second, Containerd(), secrets, several))
    assert join["controlPlane"] == {
        "localAPIEndpoint": {"advertiseAddress": "172.31.7.102", "bindPort": 6443}
    }
    assert join["discovery"]["bootstrapToken"]["apiServerEndpoint"] == "172.31.7.100:8443"
    assert join["patches"]["directory"]
    text = join_configuration(balanced, worker, Containerd(), secrets, several)
    assert not {"controlPlane", "patches"} & yaml.safe_load(text).keys()


def test_every_control_plane_has_certificates_for_all_ways_to_it(
    balanced: Plan, secrets: ClusterSecrets
) -> None:
    for node in balanced.control_planes:
        files = {file.path: file.content for file in control_plane_files(balanced, node, secrets)}
        server = _names(files["/etc/kubernetes/pki/apiserver.crt"])
        assert {COMMON, *(each.internal_address for each in balanced.control_planes)} <= set(
            server.get_values_for_type(x509.IPAddress)
        )
        assert {each.name for each in balanced.control_planes} <= set(
            server.get_values_for_type(x509.DNSName)
        )
        member = _names(files["/etc/kubernetes/pki/etcd/peer.crt"])
        assert member.get_values_for_type(x509.DNSName) == ["localhost", node.name]
        assert node.internal_address in member.get_values_for_type(x509.IPAddress)
        assert "server: https://172.31.7.100:8443\n" in files["/etc/kubernetes/scheduler.conf"]


def _names(certificate: str) -> x509.SubjectAlternativeName:
    read = x509.load_pem_x509_certificate(certificate.encode())
    return read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def test_with_local_nginx_nodes_use_their_loopback_and_the_host_does_not(
    local: Plan, secrets: ClusterSecrets
) -> None:
    files = {file.path: file.content for file in control_plane_files(local, local.nodes[1], secrets)}
    assert "server: https://127.0.0.1:6443\n" in files["/etc/kubernetes/kubelet.conf"]
    assert "server: https://172.31.7.101:6443\n" in admin_kubeconfig(local, secrets)


def test_with_local_nginx_an_api_server_leaves_the_loopback_alone(balanced: Plan, local: Plan) -> None:
    (patch,) = own_patches(local, local.control_planes[2])
    assert yaml.safe_load(patch.content) == [
        {"op": "add", "path": "/spec/containers/0/command/-", "value": "--bind-address=172.31.7.103"}
    ]
    assert own_patches(balanced, balanced.control_planes[2]) == ()


def test_several_elect_a_leader_and_etcd_forgets_nothing(balanced: Plan, several: Settings) -> None:
    alone = settings_of(balanced.kubernetes, Containerd(), emulated=True)
    for part in (Part.CONTROLLER_MANAGER, Part.SCHEDULER):
        assert alone.of(part, Kind.ARGUMENT)["leader-elect"] == "false"
        arguments = several.of(part, Kind.ARGUMENT)
        assert "leader-elect" not in arguments
        assert arguments["leader-elect-lease-duration"] == "60s"
    assert "unsafe-no-fsync" in alone.of(Part.ETCD, Kind.ARGUMENT)
    assert "unsafe-no-fsync" not in several.of(Part.ETCD, Kind.ARGUMENT)
    stock = settings_of(balanced.kubernetes, Containerd(), emulated=False, control_planes=3)
    assert stock == settings_of(balanced.kubernetes, Containerd(), emulated=False)


def test_scripts_of_control_planes(balanced: Plan, secrets: ClusterSecrets, several: Settings) -> None:
    nodes = Nodes(balanced, KeyFiles(Path("key"), Path("known_hosts")), Here())
    membership = Membership(Containerd(), secrets, several)
    second = join_script(nodes, balanced.control_planes[1], membership).text
    assert "/etc/kubernetes/pki/etcd/ca.key" in second
    assert "https://172.31.7.102:6443/readyz" in second
    assert "control-plane-prepare/certs" in second
    worker = join_script(nodes, balanced.workers[0], membership).text
    assert not [word for word in ("pki/etcd", "readyz", "control-plane-prepare") if word in worker]
    for text in (init_script(nodes, membership).text, second):
        assert len(text.encode()) < LONGEST_SCRIPT


def test_control_planes_join_one_after_another(
    balanced: Plan, secrets: ClusterSecrets, several: Settings
) -> None:
    under_way: list[str] = []
    order: list[str] = []

    class OneAtATime:
        plan = balanced

        def __getitem__(self, name: str) -> Any:
            def run(script: Any, **_: Any) -> None:
                assert under_way == []
                under_way.append(name)
                order.append(name)
                under_way.remove(name)

            return SimpleNamespace(run=run)

    nodes: Any = OneAtATime()
    with SilentProgress().step("join") as at:
        join_control_planes(nodes, Membership(Containerd(), secrets, several), at, order.append)
    assert order == ["k8s-master2", "k8s-master3"]


def test_one_control_plane_lets_nobody_join_as_one(plan: Plan) -> None:
    assert plan.other_control_planes == ()
    changed = dataclasses.replace(plan, nodes=plan.nodes[:1])
    assert changed.load_balancer is None


def test_each_control_plane_can_be_asked_past_the_load_balancer(
    plan: Plan, balanced: Plan, secrets: ClusterSecrets
) -> None:
    (alone,) = yaml.safe_load(admin_kubeconfig(plan, secrets))["contexts"]
    assert alone["name"] == "kubernetes-admin@kubernetes"
    config = yaml.safe_load(admin_kubeconfig(balanced, secrets))
    assert config["current-context"] == "kubernetes-admin@kubernetes"
    servers = {each["name"]: each["cluster"]["server"] for each in config["clusters"]}
    of_context = {each["name"]: servers[each["context"]["cluster"]] for each in config["contexts"]}
    assert of_context["kubernetes-admin@kubernetes"] == "https://172.31.7.100:8443"
    assert of_context["k8s-master3"] == "https://172.31.7.103:6443"
    assert len(of_context) == 4
