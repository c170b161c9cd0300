"""Modes without encapsulation: who gets which addresses, and which ways the nodes know."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from lab.modes.install import arrange_mode
from lab.modes.mode import Images
from lab.modes.registry import mode_named
from lab.topology.plan import Plan

NO_IMAGES = Images(())


def ipam(plan: Plan, mode: str, node: str) -> dict[str, Any]:
    setup = arrange_mode(mode_named(mode), plan, NO_IMAGES)
    document = json.loads(setup.nodes[node].cni.content)
    found: dict[str, Any] = document["plugins"][0]["ipam"]
    return found


def program(plan: Plan, mode: str, node: str) -> str:
    files = arrange_mode(mode_named(mode), plan, NO_IMAGES).nodes[node].files
    return next(file.content for file in files if file.path.startswith("/usr/local/sbin/"))


@pytest.mark.parametrize("mode", ["routed", "ipvlan-l3s"])
def test_pods_get_the_nodes_block_and_the_others_are_reached_by_their_nodes(plan: Plan, mode: str) -> None:
    assert ipam(plan, mode, "k8s-node1")["ranges"] == [[{"subnet": "10.200.1.0/24"}]]
    routes = [line for line in program(plan, mode, "k8s-node1").splitlines() if " via " in line]
    assert routes[:2] == [
        "ip route replace 10.200.0.0/24 via 172.31.7.101 dev eth1 onlink",
        "ip route replace 10.200.2.0/24 via 172.31.7.103 dev eth1 onlink",
    ]


def test_routed_leaves_the_pods_addresses_alone_when_it_is_told_to(plan: Plan) -> None:
    plain = dataclasses.replace(plan, mode_options={"masquerade": False})
    assert "-s 10.200.1.0/24 ! -d 10.200.0.0/16 ! -o lo -j MASQUERADE" in program(plan, "routed", "k8s-node1")
    assert "MASQUERADE" not in program(plain, "routed", "k8s-node1")


@pytest.mark.parametrize("mode", ["macvlan", "ipvlan-l2", "bridge"])
def test_every_node_gives_out_its_share_of_the_underlay(plan: Plan, mode: str) -> None:
    for node in plan.nodes:
        (given,) = ipam(plan, mode, node.name)["ranges"][0]
        assert node.underlay_pods is not None
        assert given["subnet"] == "172.31.0.0/21"
        assert given["rangeStart"] == str(node.underlay_pods.first)
        # The last one is the ipvlan shim's.
        last = node.underlay_pods.last - (mode == "ipvlan-l2")
        assert given["rangeEnd"] == str(last)


def test_the_ipvlan_shim_has_an_address_that_no_pod_gets_and_speaks_with_the_nodes_own(plan: Plan) -> None:
    node = plan.workers[0]
    assert node.underlay_pods is not None
    text = program(plan, "ipvlan-l2", node.name)
    assert f"ip address replace {node.underlay_pods.last}/32 dev lab-shim" in text
    assert f"scope link src {node.internal_address}" in text


def test_bridge_moves_the_nodes_address_with_its_mac(plan: Plan) -> None:
    node = plan.workers[0]
    files = arrange_mode(mode_named("bridge"), plan, NO_IMAGES).nodes[node.name].files
    contents = {file.path.rpartition("/")[2]: file.content for file in files}
    nic = node.nic_on("underlay")
    assert f"MACAddress={nic.mac}\n" in contents["10-br-eth1.netdev"]
    assert f"Address={nic.primary}\n" in contents["10-br-eth1.network"]
    assert "Bridge=br-eth1\n" in contents["10-eth1.network"]
    assert "Address=" not in contents["10-eth1.network"]
