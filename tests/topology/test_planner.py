"""The address plan: golden files for known topologies, and what holds for every topology."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from pydantic import TypeAdapter

from lab.topology.loader import find_topology, load_topology
from lab.topology.models import NodeRole, Topology
from lab.topology.plan import Plan
from lab.topology.planner import make_plan
from lab.topology.ranges import overlaps_with_routes
from tests.any_topology import examples, topologies


@examples
@given(topologies())
def test_plan_is_the_same_at_every_call(topology: Topology) -> None:
    assert make_plan(topology) == make_plan(topology.model_copy(deep=True))


@examples
@given(topologies())
def test_macs_are_unique_and_of_the_guests_prefix(topology: Topology) -> None:
    macs = [nic.mac for node in make_plan(topology).nodes for nic in node.nics]
    assert len(set(macs)) == len(macs)
    assert all(re.fullmatch(r"52:54:00(:[0-9a-f]{2}){3}", mac) for mac in macs)


@examples
@given(topologies())
def test_bridges_are_unique_and_short_enough_for_the_kernel(topology: Topology) -> None:
    bridges = [network.bridge for network in make_plan(topology).networks]
    assert len(set(bridges)) == len(bridges)
    assert all(len(bridge) <= 15 and bridge.startswith("br-") for bridge in bridges)


@examples
@given(topologies())
def test_devices_are_numbered_without_a_gap_in_the_order_of_the_networks(topology: Topology) -> None:
    plan = make_plan(topology)
    order = [network.name for network in plan.networks]
    for node in plan.nodes:
        assert [nic.device for nic in node.nics] == [f"eth{index}" for index in range(len(node.nics))]
        assert [nic.network for nic in node.nics] == [
            n for n in order if n in topology.nodes[node.name].addresses
        ]


@examples
@given(topologies())
def test_nics_have_the_addresses_of_the_file_and_the_prefix_of_the_network(topology: Topology) -> None:
    plan = make_plan(topology)
    for node in plan.nodes:
        for nic in node.nics:
            assert nic.primary.ip == topology.nodes[node.name].addresses[nic.network]
            assert nic.primary.network == plan.network(nic.network).cidr
        assert node.internal_address == node.nic_on(plan.node_network).primary.ip


@examples
@given(topologies())
def test_pod_shares_are_equal_adjoining_and_within_the_range(topology: Topology) -> None:
    plan = make_plan(topology)
    assert plan.underlay is not None
    whole = plan.underlay.pod_range
    assert whole is not None
    shares = [node.underlay_pods for node in plan.nodes if node.underlay_pods is not None]
    assert len(shares) == len(plan.nodes)
    assert len({share.size for share in shares}) == 1
    assert shares[0].first == whole.first
    assert all(before.last + 1 == after.first for before, after in pairwise(shares))
    assert 0 <= int(whole.last) - int(shares[-1].last) < len(shares)


@examples
@given(topologies())
def test_no_two_things_of_a_network_have_one_address(topology: Topology) -> None:
    plan = make_plan(topology)
    for network in plan.networks:
        taken: list[IPv4Address | IPv6Address] = [network.host_address.ip]
        taken += [network.lan_host.ip] if network.lan_host else []
        taken += [nic.primary.ip for node in plan.nodes for nic in node.nics if nic.network == network.name]
        assert len(set(taken)) == len(taken)
        ipv4 = [address for address in taken if isinstance(address, IPv4Address)]
        assert network.pod_range is None or not any(address in network.pod_range for address in ipv4)


@examples
@given(topologies())
def test_well_known_services_are_the_first_and_tenth_address(topology: Topology) -> None:
    plan = make_plan(topology).kubernetes
    assert int(plan.api_service_address) == int(plan.service_cidr.network_address) + 1
    assert int(plan.dns_address) == int(plan.service_cidr.network_address) + 10


@examples
@given(topologies())
def test_the_api_is_reached_at_the_control_planes_internal_addresses_or_at_one_of_its_own(
    topology: Topology,
) -> None:
    plan = make_plan(topology)
    assert plan.control_planes == (plan.first_control_plane, *plan.other_control_planes)
    assert {node.role for node in plan.control_planes} == {NodeRole.CONTROL_PLANE}
    common = topology.kubernetes.api_address
    own = tuple(node.internal_address for node in plan.control_planes)
    assert plan.kubernetes.api.addresses == (own if common is None else (common,))
    assert (plan.load_balancer is None) == (len(own) == 1)
    if plan.load_balancer is not None:
        assert plan.load_balancer is topology.kubernetes.load_balancer
    assert len(plan.workers) == len(plan.nodes) - len(own)


@pytest.mark.parametrize("name", ["course-exact", "different-nics", "ha-3node", "underlay-3node"])
def test_plan_of_known_topology(name: str, compare_with_golden: Callable[[Path, str], None]) -> None:
    plan = make_plan(load_topology(find_topology(name)))
    text = TypeAdapter(Plan).dump_json(plan, indent=2).decode() + "\n"
    compare_with_golden(Path(__file__).parent / "golden" / f"{name}.json", text)


def test_long_network_names_that_begin_alike_get_different_bridges() -> None:
    topology = load_topology(find_topology("underlay-3node"))
    first, second = "storage-of-building-1", "storage-of-building-2"
    networks = dict(topology.networks)
    networks[first] = networks.pop("storage")
    networks[second] = networks[first].model_copy(update={"cidr": IPv4Network("192.168.57.0/24")})
    nodes = {
        name: node.model_copy(
            update={"addresses": {key: value for key, value in node.addresses.items() if key != "storage"}}
        )
        for name, node in topology.nodes.items()
    }
    plan = make_plan(topology.model_copy(update={"networks": networks, "nodes": nodes}))
    bridges = [plan.network(first).bridge, plan.network(second).bridge]
    assert all(re.fullmatch(r"br-storage-[0-9a-f]{4}", bridge) for bridge in bridges)
    assert bridges[0] != bridges[1]


def test_macs_differ_between_topologies() -> None:
    topology = load_topology(find_topology("underlay-3node"))
    renamed = topology.model_copy(update={"name": "another"})
    mine = {nic.mac for node in make_plan(topology).nodes for nic in node.nics}
    others = {nic.mac for node in make_plan(renamed).nodes for nic in node.nics}
    assert mine.isdisjoint(others)


def test_overlaps_with_the_hosts_routes_are_named_and_the_default_route_is_none() -> None:
    plan = make_plan(load_topology(find_topology("underlay-3node")))
    routes = [IPv4Network("0.0.0.0/0"), IPv4Network("192.168.0.0/16"), IPv4Network("10.200.7.0/24")]
    found = [str(overlap) for overlap in overlaps_with_routes(plan, routes)]
    assert found == [
        "the network 'uplink' 192.168.31.0/24 overlaps the host's route to 192.168.0.0/16",
        "the network 'management' 192.168.6.0/24 overlaps the host's route to 192.168.0.0/16",
        "the network 'storage' 192.168.56.0/24 overlaps the host's route to 192.168.0.0/16",
        "the pod CIDR 10.200.0.0/16 overlaps the host's route to 10.200.7.0/24",
    ]
    assert overlaps_with_routes(plan, [IPv4Network("172.17.0.0/16"), IPv4Network("0.0.0.0/0")]) == ()
