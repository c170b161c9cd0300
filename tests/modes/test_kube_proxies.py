"""What a mode does differently by how kube-proxy works."""

from __future__ import annotations

import dataclasses
import json
from ipaddress import IPv4Network

import pytest

from lab.cluster.readiness import COREDNS, KUBE_PROXY
from lab.foundation.errors import WrongUseError
from lab.modes.install import arrange_mode
from lab.modes.mode import Images
from lab.modes.registry import mode_named
from lab.topology.models import KubeProxy
from lab.topology.plan import Plan

IMAGES = Images(("registry.k8s.io/hybridnet:v0.8.8",))


def inside_the_underlay(plan: Plan) -> Plan:
    kubernetes = dataclasses.replace(plan.kubernetes, service_cidr=IPv4Network("172.31.5.0/24"))
    return dataclasses.replace(plan, kubernetes=kubernetes)


@pytest.mark.parametrize(
    ("kube_proxy", "through_the_node"), [(KubeProxy.IPTABLES, False), (KubeProxy.IPVS, True)]
)
def test_pods_on_a_bridge_send_to_services_through_their_node(
    plan: Plan, kube_proxy: KubeProxy, through_the_node: bool
) -> None:
    setup = arrange_mode(mode_named("bridge"), plan.with_kube_proxy(kube_proxy), IMAGES)
    for node in plan.nodes:
        routes = json.loads(setup.nodes[node.name].cni.content)["plugins"][0]["ipam"]["routes"]
        own = {"dst": "10.96.0.0/16", "gw": str(node.internal_address)}
        assert (own in routes) == through_the_node


def test_without_kube_proxy_nobody_waits_for_it_nor_for_the_dns(plan: Plan) -> None:
    workloads = arrange_mode(mode_named("macvlan"), plan.with_kube_proxy(KubeProxy.NONE), IMAGES).workloads
    assert not {KUBE_PROXY, COREDNS} & set(workloads)


def test_hybridnet_waits_for_the_virtual_server_of_the_api(plan: Plan) -> None:
    setup = arrange_mode(mode_named("hybridnet"), plan.with_kube_proxy(KubeProxy.IPVS), IMAGES)
    assert all("-A -t 10.96.0.1:" in part.before for part in setup.nodes.values())


def test_hybridnet_needs_services(plan: Plan) -> None:
    with pytest.raises(WrongUseError) as caught:
        mode_named("hybridnet").check(plan.with_kube_proxy(KubeProxy.NONE))
    assert "there is no kube-proxy" in (caught.value.details or "")


def test_ipvlan_l2_cannot_do_with_strict_arp(plan: Plan) -> None:
    mode, ipvs = mode_named("ipvlan-l2"), plan.with_kube_proxy(KubeProxy.IPVS)
    mode.check(ipvs)
    mode.check(inside_the_underlay(plan))
    with pytest.raises(WrongUseError) as caught:
        mode.check(inside_the_underlay(ipvs))
    assert "strict ARP" in (caught.value.details or "")
