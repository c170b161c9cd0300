"""The picture of a plan."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lab.topology.graph import render_svg
from lab.topology.loader import find_topology, load_topology
from lab.topology.models import Network, NetworkRole, Node, NodeRole, Topology
from lab.topology.plan import Plan
from lab.topology.planner import make_plan

SVG = "{http://www.w3.org/2000/svg}"


def plan_of(name: str) -> Plan:
    return make_plan(load_topology(find_topology(name)))


def drawn(plan: Plan) -> ElementTree.Element:
    return ElementTree.fromstring(render_svg(plan))  # noqa: S314 (our own picture)


def large_plan() -> Plan:
    """Nine nodes with long names on eight networks, without a LAN host."""
    base = load_topology(find_topology("underlay-3node"))
    networks = {"uplink": base.networks["uplink"], "underlay": base.networks["underlay"]}
    networks["underlay"] = networks["underlay"].model_copy(update={"lan_host": None})
    for index in range(6):
        cidr = IPv4Network((f"10.{index}.0.0", 24))
        networks[f"a-network-with-a-long-name-{index}"] = Network(role=NetworkRole.HOST_ONLY, cidr=cidr)
    nodes = {
        f"a-node-with-a-rather-long-name-{index}": Node(
            role=NodeRole.WORKER if index else NodeRole.CONTROL_PLANE,
            cpus=1,
            memory="1GiB",
            addresses={name: network.cidr[-10 - index] for name, network in networks.items()},
        )
        for index in range(9)
    }
    return make_plan(
        Topology(name="large", kubernetes=base.kubernetes, mode="macvlan", networks=networks, nodes=nodes)
    )


@pytest.mark.parametrize("name", ["course-exact", "different-nics", "ha-5node", "underlay-3node"])
def test_picture_of_known_topology(name: str, compare_with_golden: Callable[[Path, str], None]) -> None:
    compare_with_golden(Path(__file__).parent / "golden" / f"{name}.svg", render_svg(plan_of(name)))


def test_picture_tells_every_address_and_range() -> None:
    plan = plan_of("course-exact")
    text = " ".join(element.text or "" for element in drawn(plan).iter(f"{SVG}text"))
    for node in plan.nodes:
        assert node.name in text
        assert str(node.underlay_pods) in text
        assert all(str(nic.primary) in text for nic in node.nics)
    for network in plan.networks:
        assert str(network.cidr) in text
        assert f"gateway {network.host_address.ip}" in text
    for said in (
        "172.31.0.100/21",
        "10.200.0.0/16",
        "172.31.5.0/24",
        "hybridnet",
        "v1.24.10",
        "172.31.6.1-172.31.6.254",
    ):
        assert said in text


@pytest.mark.parametrize("plan", [plan_of("underlay-3node"), large_plan()], ids=["small", "large"])
def test_nothing_lies_outside_the_picture(plan: Plan) -> None:
    root = drawn(plan)
    width, height = float(root.get("width", "0")), float(root.get("height", "0"))
    for rectangle in root.iter(f"{SVG}rect"):
        x, y, w, h = (float(rectangle.get(key, "nan")) for key in ("x", "y", "width", "height"))
        assert x >= 0
        assert y >= 0
        assert x + w <= width
        assert y + h <= height


@pytest.mark.parametrize("plan", [plan_of("underlay-3node"), large_plan()], ids=["small", "large"])
def test_there_is_one_wire_for_every_nic_and_one_for_the_lan_host(plan: Plan) -> None:
    wires = list(drawn(plan).iter(f"{SVG}path"))
    lan_host = sum(network.lan_host is not None for network in plan.networks)
    assert len(wires) == sum(len(node.nics) for node in plan.nodes) + lan_host


def test_picture_needs_nothing_from_elsewhere_and_knows_light_and_dark() -> None:
    picture = render_svg(plan_of("underlay-3node"))
    assert "prefers-color-scheme: dark" in picture
    assert not re.search(r"href|url\(|@import|<script", picture)
