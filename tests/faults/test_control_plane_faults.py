"""Mistakes of several control planes: where they are offered, and what they do to a node and take back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from lab.cluster.balancer import balancer_files
from lab.cluster.credentials import api_server_certificate
from lab.cluster.secrets import ClusterSecrets
from lab.faults import control_planes
from lab.faults.fault import Site
from lab.faults.registry import FAULTS, fault_named
from lab.faults.target import target_of
from lab.foundation.errors import WrongUseError
from lab.modes.registry import mode_named
from lab.nodes.files import NodeFile
from lab.topology.loader import load_topology
from lab.topology.models import Installer, Tuning
from lab.topology.plan import NodePlan, Plan
from lab.topology.planner import make_plan
from tests.conftest import TOPOLOGIES
from tests.faults.site_stand_ins import BashNode, MakeSite
from tests.faults.test_on_a_node import there_and_back
from tests.local_nginx import ha_5node_with_local_nginx

Told = Callable[[str], tuple[Site, Path, list[str]]]
OF_ADDRESS = {"vrrp-split", "etcd-member-down", "certificate-nameless", "health-check-lies"}
MODE = "flannel-vxlan"


@pytest.fixture(scope="module")
def three() -> Plan:
    return make_plan(load_topology(TOPOLOGIES / "ha-3node.yaml"))


@pytest.fixture(scope="module")
def local() -> Plan:
    return ha_5node_with_local_nginx()


@pytest.fixture
def here(site: MakeSite, three: Plan, node: BashNode) -> Site:
    return site(MODE, node=node, of=three)


@pytest.fixture
def last(three: Plan) -> NodePlan:
    return three.control_planes[-1]


def offered(plan: Plan) -> set[str]:
    mode = mode_named(plan.mode)
    names = {fault.name for fault in control_planes.CONTROL_PLANE_FAULTS}
    return {fault.name for fault in FAULTS if fault.name in names and not fault.unfit(plan, mode)}


def test_they_are_offered_where_they_fit(plan: Plan, three: Plan, local: Plan) -> None:
    assert offered(plan) == set()
    assert offered(three) == OF_ADDRESS
    assert offered(local) == {"etcd-member-down", "dead-server-named"}
    mode = mode_named(MODE)
    assert fault_named("vrrp-split").unfit(plan, mode) == "the topology has one control plane"
    assert fault_named("vrrp-split").unfit(local, mode) == "the load balancer is local-nginx"


def test_they_are_on_control_planes_only(local: Plan, three: Plan) -> None:
    fault = fault_named("etcd-member-down")
    assert target_of(fault, None, local).name == "k8s-master3"
    with pytest.raises(WrongUseError, match="cannot be injected on the node k8s-node1"):
        target_of(fault, "k8s-node1", local)
    with pytest.raises(WrongUseError, match="needs a worker"):
        target_of(fault_named("disk-full"), None, three)


def test_a_control_plane_that_hears_no_vrrp(
    here: Site, last: NodePlan, node: BashNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_planes, "_has_address", lambda _, node: node.name == last.name)
    there_and_back(here, last, "vrrp-split", lambda: node.bash("iptables -S"), "-A INPUT -p vrrp -j DROP")


CURL = """#!/bin/bash
# Answers while etcd's manifest is there.
[ -e MANIFESTS/etcd.yaml ] || exit 7
"""


def test_a_member_of_etcd_that_does_not_run(
    here: Site, last: NodePlan, node: BashNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests, aside, program = tmp_path / "manifests", tmp_path / "aside", tmp_path / "curl"
    manifests.mkdir()
    (manifests / "etcd.yaml").write_text("etcd\n")
    program.write_text(CURL.replace("MANIFESTS", str(manifests)))
    program.chmod(0o755)
    node.bash(f'mount --bind {program} "$(command -v curl)"')
    monkeypatch.setattr(control_planes, "STATIC_PODS", str(manifests))
    monkeypatch.setattr(control_planes, "ASIDE", str(aside))

    def state() -> str:
        return "there" if (manifests / "etcd.yaml").exists() else "it is aside"

    there_and_back(here, last, "etcd-member-down", state, "aside")


def test_a_certificate_without_the_common_address(
    here: Site, last: NodePlan, three: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[bool] = []
    monkeypatch.setattr(control_planes, "PKI", str(tmp_path))
    monkeypatch.setattr(control_planes, "_wait_for_name", lambda *_, borne: waited.append(borne))
    monkeypatch.setattr(control_planes, "control_plane_files", _files_below(tmp_path))
    fault = fault_named("certificate-nameless")
    fault.inject(here, last, {})
    names = _names(tmp_path)
    assert three.kubernetes.api.address not in names
    assert last.internal_address in names
    assert (tmp_path / "apiserver.key").stat().st_mode & 0o777 == 0o600
    fault.clear(here, last, {})
    assert three.kubernetes.api.address in _names(tmp_path)
    assert waited == [False, True]


def _files_below(folder: Path) -> Callable[[Plan, NodePlan, ClusterSecrets], tuple[NodeFile, ...]]:
    def files(plan: Plan, node: NodePlan, secrets: ClusterSecrets) -> tuple[NodeFile, ...]:
        pair = api_server_certificate(plan, secrets)
        return (
            NodeFile(f"{folder}/apiserver.crt", pair.certificate),
            NodeFile(f"{folder}/apiserver.key", pair.key, 0o600),
            NodeFile(f"{folder}/sa.key", "another file", 0o600),
        )

    return files


def _names(folder: Path) -> list[object]:
    assert not (folder / "sa.key").exists(), "no other file is touched"
    found = x509.load_pem_x509_certificate((folder / "apiserver.crt").read_bytes())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return list(names.get_values_for_type(x509.IPAddress))


@pytest.mark.parametrize(
    ("fault", "sign"),
    [
        ("health-check-lies", "server k8s-master1 172.31.7.101:22 port 6443\n"),
        ("dead-server-named", "server 172.31.7.254:6443 max_fails"),
    ],
)
def test_what_a_load_balancer_is_told(told: Told, fault: str, sign: str) -> None:
    site, path, reloaded = told(fault)
    there_and_back(site, site.plan.control_planes[-1], fault, path.read_text, sign)
    assert set(reloaded) == {"haproxy.service" if fault == "health-check-lies" else "nginx.service"}


@pytest.fixture
def told(
    site: MakeSite,
    node: BashNode,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Told:
    """A lab whose load balancer the fault is about, its configuration, and the units that are reloaded."""

    def make(fault: str) -> tuple[Site, Path, list[str]]:
        of_haproxy = fault == "health-check-lies"
        plan: Plan = request.getfixturevalue("three" if of_haproxy else "local")
        path, reloaded = tmp_path / "conf", list[str]()
        right = balancer_files(plan, plan.control_planes[-1], Tuning.STOCK)[0].content
        path.write_text(right)
        monkeypatch.setattr(control_planes, "HAPROXY" if of_haproxy else "NGINX", str(path))
        monkeypatch.setattr(control_planes, "balancer_files", lambda *_: (NodeFile(str(path), right),))
        monkeypatch.setattr(control_planes, "_reload", lambda _, node, unit: reloaded.append(unit))
        return site(MODE, node=node, of=plan), path, reloaded

    return make


ETCD_UNIT = """#!/bin/bash
# The unit runs while its file is there.
echo "$*" >> /run/systemctl
case "$*" in
  kill*) rm -f /run/etcd-runs ;;
  start*) touch /run/etcd-runs ;;
esac
"""


def test_a_member_of_etcd_that_is_a_unit(here: Site, last: NodePlan, node: BashNode) -> None:
    """In a cluster from binaries; it must not start again after a reboot either."""
    node.bash(
        f"mount -t tmpfs tmpfs /usr/local/bin; cat > /usr/local/bin/systemctl <<'END'\n{ETCD_UNIT}END\n"
        "printf '#!/bin/bash\\n[ -e /run/etcd-runs ] || exit 7\\n' > /usr/local/bin/curl\n"
        "chmod +x /usr/local/bin/*; touch /run/etcd-runs"
    )
    from_binaries, fault = replace(here, plan=here.plan.by(Installer.BINARY)), fault_named("etcd-member-down")
    for _ in range(2):
        fault.inject(from_binaries, last, {})
        assert "etcd-runs" not in node.bash("ls /run")
    assert node.bash("head -1 /run/systemctl") == "--quiet disable etcd.service"
    for _ in range(2):
        fault.clear(from_binaries, last, {})
        assert "etcd-runs" in node.bash("ls /run")
    assert "--quiet enable etcd.service" in node.bash("cat /run/systemctl")
