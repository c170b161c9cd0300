from __future__ import annotations

import dataclasses
import subprocess
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
import yaml

from lab.cluster.configuration import init_configuration
from lab.cluster.kubeadm import init_in_stages
from lab.cluster.proxy import knows_service, proxy_documents, require_proxy, strict_arp, without_proxy
from lab.cluster.secrets import ClusterSecrets
from lab.cluster.tuning import settings_of
from lab.foundation.errors import WrongUseError
from lab.nodes.prepare import NodeNeeds, node_script
from lab.nodes.runtimes import Containerd
from lab.operations.keeping.keep import plan_digest
from lab.supply.catalogue import load_entry
from lab.topology.models import KubeProxy
from lab.topology.plan import Plan


def inside_the_underlay(plan: Plan) -> Plan:
    kubernetes = dataclasses.replace(plan.kubernetes, service_cidr=IPv4Network("172.31.5.0/24"))
    return dataclasses.replace(plan, kubernetes=kubernetes)


def document(plan: Plan) -> dict[str, object]:
    (said,) = proxy_documents(plan, load_entry(plan.kubernetes.version).features)
    return dict(said)


def test_the_mode_is_told_to_kubeadm(plan: Plan) -> None:
    assert document(plan)["mode"] == "iptables"
    said = document(plan.with_kube_proxy(KubeProxy.IPVS))
    assert said["mode"] == "ipvs"
    assert "featureGates" not in said


@pytest.mark.parametrize(
    ("version", "gates"), [("v1.30.4", {"NFTablesProxyMode": True}), ("v1.37.2", None), ("v1.34.4", None)]
)
def test_an_early_nftables_needs_its_gate(plan: Plan, version: str, gates: dict[str, bool] | None) -> None:
    later = plan.of_version(version).with_kube_proxy(KubeProxy.NFTABLES)
    require_proxy(later.kubernetes)
    assert document(later).get("featureGates") == gates


def test_nftables_is_refused_where_the_version_has_none(plan: Plan) -> None:
    with pytest.raises(WrongUseError, match=r"v1\.24\.10 has no mode nftables") as caught:
        require_proxy(plan.with_kube_proxy(KubeProxy.NFTABLES).kubernetes)
    assert caught.value.details == "it has iptables, ipvs"
    assert "v1.37.2" in (caught.value.resolution or "")


@pytest.mark.parametrize("kube_proxy", [KubeProxy.IPTABLES, KubeProxy.IPVS, KubeProxy.NONE])
def test_every_version_has_the_others(plan: Plan, kube_proxy: KubeProxy) -> None:
    require_proxy(plan.with_kube_proxy(kube_proxy).kubernetes)


def test_nodes_are_silent_about_service_addresses_that_lie_in_a_network(plan: Plan) -> None:
    ipvs = plan.with_kube_proxy(KubeProxy.IPVS)
    assert not strict_arp(ipvs)
    assert "ipvs" not in document(ipvs)
    assert not strict_arp(inside_the_underlay(plan))
    assert document(inside_the_underlay(ipvs))["ipvs"] == {"strictARP": True}


def test_none_is_not_installed(plan: Plan, secrets: ClusterSecrets) -> None:
    none = plan.with_kube_proxy(KubeProxy.NONE)
    settings = settings_of(none.kubernetes, Containerd(), emulated=True)
    kinds = {
        each["kind"] for each in yaml.safe_load_all(init_configuration(none, Containerd(), secrets, settings))
    }
    assert "KubeProxyConfiguration" not in kinds
    assert without_proxy(none, ("preflight",)) == ("preflight", "addon/kube-proxy")
    assert without_proxy(plan, ("preflight",)) == ("preflight",)
    assert "addon/kube-proxy" in init_in_stages(none).splitlines()[-1]
    assert "addon/kube-proxy" not in init_in_stages(plan)


def test_nodes_have_the_modules_of_ipvs_where_it_is_used(plan: Plan) -> None:
    needs = NodeNeeds(Containerd(), ())
    for each in (plan, plan.with_kube_proxy(KubeProxy.IPVS)):
        script = node_script(each, each.nodes[0], needs).text
        uses = each.kubernetes.kube_proxy is KubeProxy.IPVS
        (line,) = (line for line in script.splitlines() if line.startswith("modprobe"))
        assert ("ip_vs_rr" in line.split()) == uses


def test_it_is_another_cluster(plan: Plan) -> None:
    assert len({plan_digest(plan.with_kube_proxy(each)) for each in KubeProxy}) == len(KubeProxy)


SHOWN = {
    KubeProxy.IPTABLES: (
        "iptables-save",
        "-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment x -j KUBE-SVC-X",
    ),
    KubeProxy.IPVS: (
        "ipvsadm",
        "-A -t 10.96.0.1:443 -s rr\n-a -t 10.96.0.1:443 -r 172.31.7.101:6443 -m -w 1",
    ),
    KubeProxy.NFTABLES: ("nsenter", "elements = { 10.96.0.1 . tcp . 443 : goto service-X }"),
}


@pytest.mark.parametrize("kube_proxy", list(SHOWN))
def test_a_node_shows_that_a_service_is_there(kube_proxy: KubeProxy, tmp_path: Path) -> None:
    program, shown = SHOWN[kube_proxy]
    for name, text in ((program, shown), ("pgrep", "1")):
        (tmp_path / name).write_text(f"#!/bin/sh\ncat <<'E'\n{text}\nE\n")
        (tmp_path / name).chmod(0o755)

    def known(address: str) -> bool:
        command = knows_service(kube_proxy, IPv4Address(address))
        return (
            subprocess.run(
                ["bash", "-c", command], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=False
            ).returncode
            == 0
        )

    assert known("10.96.0.1")
    assert not known("10.96.0.10")
