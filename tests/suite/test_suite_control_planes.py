"""What the suite makes of the answers of several control planes; of one it asks nothing of that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from acceptance import test_control_planes as checks
from acceptance.conftest import pytest_ignore_collect
from acceptance.control_planes import (
    Certificate,
    EtcdSight,
    PlaneSight,
    _balanced,
    _certificates,
    _of_servers,
    content_hashes,
    endpoint_on_nodes,
    etcd_sight,
    look,
    of_certificates,
    peers,
    planes_of,
)
from acceptance.inventory import Inventory
from acceptance.problems import Problem
from acceptance.shell import BATCH_TIMEOUT, LocalShell, Output, Shell

NAMES = ("m1", "m2", "m3")
MEMBERS = {str(index): name for index, name in enumerate(NAMES, 1)}
SOCKETS = """\
0 0 172.31.7.101:40000 172.31.7.100:8443 users:(("kubelet",pid=1,fd=9))
0 0 172.31.7.101:40001 172.31.7.100:8443 users:(("kube-controller",pid=2,fd=9))
0 0 [::ffff:172.31.7.101]:40002 [::ffff:172.31.7.102]:6443 users:(("kube-scheduler",pid=3,fd=9))
0 0 172.31.7.101:40003 172.31.7.102:6443 users:(("haproxy",pid=4,fd=9))
0 0 172.31.7.101:40004 172.31.7.102:2380 users:(("kubelet",pid=1,fd=10))
0 0 172.31.7.101:6443 172.31.7.102:40000
"""


ALL_SERVERS = {f"172.31.7.10{index}:6443": "" for index in (1, 2, 3)}


def inventory_of(hosts: int, **kubernetes: object) -> Inventory:
    known = {
        "version": "v1.24.10",
        "runtime": "containerd",
        "pod_cidr": "10.200.0.0/16",
        "service_cidr": "10.96.0.0/16",
        "dns_domain": "cluster.local",
        "dns_address": "10.96.0.10",
        "api_service_address": "10.96.0.1",
        "api_address": "172.31.7.100",
    }
    nodes = [
        {
            "name": name,
            "role": "control-plane" if index < hosts else "worker",
            "internal_address": f"172.31.7.10{index + 1}",
            "nics": [
                {
                    "network": "underlay",
                    "device": "eth1",
                    "mac": f"52:54:00:00:00:0{index}",
                    "address": f"172.31.7.10{index + 1}/21",
                }
            ],
        }
        for index, name in enumerate(NAMES)
    ]
    return Inventory.model_validate(
        {
            "name": "a",
            "mode": "flannel-vxlan",
            "kubeconfig": "/kubeconfig",
            "ssh_config": "/ssh_config",
            "kubernetes": {**known, **kubernetes},
            "networks": [],
            "nodes": nodes,
            "probe_image": "agnhost",
        }
    )


@pytest.fixture
def several() -> Inventory:
    return inventory_of(3, load_balancer="keepalived-haproxy", api_port=8443)


def member(leader: str = "1", term: int = 4, **changes: Any) -> EtcdSight:
    return EtcdSight(leader, term, 100, changes.get("members", MEMBERS), changes.get("alarms", ()))


def sights_of(*etcds: EtcdSight, holders: tuple[str, ...] = ("m1",)) -> Mapping[str, PlaneSight | Problem]:
    return {
        name: PlaneSight(
            {}, {}, name in holders, etcd, {"kubelet": frozenset({"172.31.7.100:8443"})}, ALL_SERVERS
        )
        for name, etcd in zip(NAMES, etcds, strict=True)
    }


def ignore(key: str, value: object) -> None:
    """In place of pytest's record."""


def test_one_control_plane_is_not_asked(several: Inventory) -> None:
    alone = inventory_of(1)
    assert planes_of(alone) == ()
    for inventory, ignored in ((alone, True), (several, None)):
        config: Any = SimpleNamespace(stash=SimpleNamespace(get=lambda *_, inventory=inventory: inventory))
        assert pytest_ignore_collect(Path("test_control_planes.py"), config) is ignored
        assert pytest_ignore_collect(Path("test_nodes.py"), config) is None


def test_where_programs_find_the_api(several: Inventory) -> None:
    assert endpoint_on_nodes(several) == "172.31.7.100:8443"
    assert endpoint_on_nodes(inventory_of(3, load_balancer="local-nginx")) == "127.0.0.1:6443"


def test_connections_by_component() -> None:
    assert peers(SOCKETS, {6443, 8443}) == {
        "kubelet": {"172.31.7.100:8443"},
        "kube-controller": {"172.31.7.100:8443"},
        "kube-scheduler": {"172.31.7.102:6443"},
    }


def test_answers_of_etcd() -> None:
    status = {"header": {"raft_term": "7", "revision": "12"}, "leader": "2"}
    listed = {"members": [{"ID": "1", "name": "m1"}, {"ID": "2"}]}
    alarmed = {"alarms": [{"memberID": "1", "alarm": "NOSPACE"}]}
    outputs = [Output(0, json.dumps(each), "") for each in (status, listed, alarmed)]
    assert etcd_sight(*outputs) == EtcdSight("2", 7, 12, {"1": "m1", "2": ""}, ("NOSPACE",))
    refused = Output(7, "", "connection refused")
    assert etcd_sight(outputs[0], refused, outputs[2]) == Problem("connection refused")


class Refusing:
    name = "m1"

    def bash(self, script: str, timeout: float = BATCH_TIMEOUT) -> str:
        """Everything fails; the commands are run by a real shell."""
        stand_ins = "curl() { echo 'no connection' >&2; return 7; }; ip() { :; }; ss() { :; }\n"
        return LocalShell("m1").bash(stand_ins + script, timeout)


def test_a_control_plane_where_nothing_answers(several: Inventory) -> None:
    shells: dict[str, Shell] = {name: Refusing() for name in NAMES}
    sights = look(several, shells)
    sight = sights["m2"]
    assert isinstance(sight, PlaneSight)
    assert sight.ways == {
        "172.31.7.100:8443": "no connection",
        **{f"172.31.7.10{index}:6443": "no connection" for index in (1, 2, 3)},
    }
    assert {"172.31.7.100", "m3", "kubernetes.default.svc.cluster.local"} <= sight.names.keys()
    assert sight.etcd == Problem("no connection")
    assert not sight.has_common_address
    assert set(content_hashes(sights, shells)) == set(NAMES)


def openssl_said(ends: datetime) -> str:
    """What a node prints of two ports: one with a certificate, and one where nobody listens."""
    shown = f"serial=0AB1\nnotAfter={ends:%b} {ends.day:2d} {ends:%H:%M:%S %Y} GMT\n"
    return f"kube-apiserver, port 6443\n{shown}etcd, port 2379\nCould not read certificate from <stdin>\n"


def test_what_openssl_says_of_certificates() -> None:
    ends = datetime(2036, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert of_certificates(openssl_said(ends)) == {
        "kube-apiserver, port 6443": Certificate("0AB1", ends),
        "etcd, port 2379": Problem("it showed no certificate"),
    }


def test_all_ports_are_asked_by_a_real_shell(several: Inventory) -> None:
    """openssl is there, and the answer is made up."""
    script = _certificates(several.nodes[0])
    stand_in = """\
timeout() { shift; "$@"; }
openssl() {
  if [ "$1" = x509 ]; then cat; else echo "serial=0A"; echo "notAfter=Jan  2 03:04:05 2036 GMT"; fi
}
"""
    seen = of_certificates(LocalShell("m1").bash(stand_in + script, BATCH_TIMEOUT))
    assert [where.partition(" ")[2] for where in seen] == [
        f"port {port}" for port in (6443, 2379, 2380, 10250, 10257, 10259)
    ]
    assert all(isinstance(found, Certificate) for found in seen.values())


def test_a_certificate_that_ran_out_is_told_with_where_and_since_when(several: Inventory) -> None:
    sights = sights_of(member(), member(), member())
    first = sights["m1"]
    assert isinstance(first, PlaneSight)
    now = datetime.now(UTC)

    def check(found: Certificate | Problem) -> None:
        shown = {**sights, "m1": replace(first, certificates={"etcd, port 2379": found})}
        checks.test_certificates_in_force(several.nodes[0], shown, ignore)

    check(Certificate("AB", now + timedelta(days=1)))
    with pytest.raises(
        AssertionError, match=r"etcd, port 2379 on m1 serves a certificate that ran out at 20"
    ):
        check(Certificate("AB", now - timedelta(seconds=40)))
    with pytest.raises(AssertionError, match=r"on m1: .*it showed no certificate"):
        check(Problem("it showed no certificate"))


def test_right_sights_pass(several: Inventory) -> None:
    sights = sights_of(member(), member(), member())
    checks.test_one_has_the_common_address(several, sights, ignore)
    checks.test_etcd_leader(sights, ignore)
    for node in several.nodes:
        checks.test_etcd_members(node, sights)
        checks.test_etcd_alarms(node, sights)
        checks.test_api_by_every_way(node, sights)
        checks.test_served_certificate(node, sights)
        checks.test_components_use_the_load_balancer(node, sights, several, ignore)
        checks.test_load_balancer_leads_to_api_servers(node, sights, several, ignore)
        checks.test_no_other_has_its_address(node, sights, several)


def test_an_address_on_two_nodes_is_told_of_both(several: Inventory) -> None:
    sights = sights_of(member(), member(), member(), holders=("m1", "m3"))
    checks.test_no_other_has_its_address(several.nodes[1], sights, several)
    for node, other in (("m1", "m3"), ("m3", "m1")):
        found = next(each for each in several.nodes if each.name == node)
        with pytest.raises(
            AssertionError, match=rf"172\.31\.7\.100 is on {node} and on {other}: they do not"
        ):
            checks.test_no_other_has_its_address(found, sights, several)


HAPROXY = """\
backend ready
    server m1 172.31.7.101:6443
    server m2 172.31.7.102:22 port 6443
backend listening
    server m1 172.31.7.101:6443
"""
NGINX = """\
    upstream api {
        server 172.31.7.101:6443 max_fails=2 fail_timeout=4s;
        server 172.31.7.254:6443 max_fails=2 fail_timeout=4s;
    }
    server {
        listen 127.0.0.1:6443;
"""


@pytest.mark.parametrize(
    ("balancer", "file", "wrong"),
    [("keepalived-haproxy", HAPROXY, "172.31.7.102:22"), ("local-nginx", NGINX, "172.31.7.254:6443")],
)
def test_each_server_of_a_load_balancer_is_asked(
    tmp_path: Path, balancer: str, file: str, wrong: str
) -> None:
    """By what its configuration says; the command is run by a real shell."""
    (tmp_path / "conf").write_text(file)
    script = _balanced(inventory_of(3, load_balancer=balancer, api_port=8443))
    for path in ("/etc/haproxy/haproxy.cfg", "/etc/nginx/nginx.conf"):
        script = script.replace(path, str(tmp_path / "conf"))
    refusing = f'curl() {{ case "$*" in *{wrong}/*) echo refused >&2; return 7;; esac; }}\n'
    said = LocalShell("m1").bash(f"{refusing}{script}", BATCH_TIMEOUT)
    assert _of_servers(said) == {"172.31.7.101:6443": "", wrong: "refused"}


def test_a_load_balancer_that_lacks_a_server(several: Inventory) -> None:
    sights = sights_of(member(), member(), member())
    first = sights["m1"]
    assert isinstance(first, PlaneSight)
    known = {server: "" for server in ALL_SERVERS if not server.startswith("172.31.7.103")}
    lacking = {**sights, "m1": replace(first, servers=known)}
    with pytest.raises(AssertionError, match=r"on m1 does not lead to 172\.31\.7\.103:6443"):
        checks.test_load_balancer_leads_to_api_servers(several.nodes[0], lacking, several, ignore)


def test_wrong_sights_fail(several: Inventory) -> None:
    for holders in ((), ("m1", "m2")):
        with pytest.raises(AssertionError, match=r"172\.31\.7\.100 is on"):
            checks.test_one_has_the_common_address(
                several, sights_of(member(), member(), member(), holders=holders), ignore
            )
    for odd in (member("2"), member(term=5), member("")):
        with pytest.raises(AssertionError, match="leader and term"):
            checks.test_etcd_leader(sights_of(member(), member(), odd), ignore)
    lacking = sights_of(member(), member(members={"1": "m1"}), member(alarms=("NOSPACE",)))
    with pytest.raises(AssertionError):
        checks.test_etcd_members(several.nodes[1], lacking)
    with pytest.raises(AssertionError):
        checks.test_etcd_alarms(several.nodes[2], lacking)
    astray = PlaneSight(
        {"172.31.7.102:6443": "refused"},
        {"m3": "no such name"},
        True,
        Problem("refused"),
        {"kubelet": frozenset({"172.31.7.102:6443"})},
        {"172.31.7.102:22": "wrong version number"},
    )
    sights = {"m1": astray}
    with pytest.raises(AssertionError):
        checks.test_api_by_every_way(several.nodes[0], sights)
    with pytest.raises(AssertionError, match="serves on m1 is not good for m3"):
        checks.test_served_certificate(several.nodes[0], sights)
    with pytest.raises(AssertionError, match=r"on m1 leads to 172\.31\.7\.102:22, where no API is"):
        checks.test_load_balancer_leads_to_api_servers(several.nodes[0], sights, several, ignore)
    with pytest.raises(AssertionError, match=r"expected 172\.31\.7\.100:8443"):
        checks.test_components_use_the_load_balancer(several.nodes[0], sights, several, ignore)
