"""Whatever `lab validate` calls valid can be rendered: all that `lab up` and the suite make of a topology."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from hypothesis import given

from acceptance.manifests import probe_name
from lab.cluster.balancer import balancer_script, balancing_nodes
from lab.cluster.configuration import init_configuration, join_configuration
from lab.cluster.credentials import admin_kubeconfig, control_plane_files, kubelet_serving_files
from lab.cluster.secrets import ClusterSecrets, load_or_make_secrets
from lab.cluster.tuning import settings_of
from lab.foundation.errors import WrongUseError
from lab.machines.networks import network_xml
from lab.machines.vagrantfile import MachineSettings, render_vagrantfile
from lab.modes import install
from lab.modes.mode import Images, Mode
from lab.modes.registry import MODES
from lab.nodes.keys import KeyFiles
from lab.nodes.prepare import NodeNeeds, node_script
from lab.nodes.runtimes import Containerd
from lab.operations.ssh_config import ssh_config_text
from lab.supply.box.model import Box
from lab.topology.graph import render_svg
from lab.topology.mode_choice import ModeChoice
from lab.topology.models import Runtime, Topology
from lab.topology.plan import Plan
from lab.topology.planner import make_plan
from lab.topology.values import dns_label, label_value
from tests.any_topology import examples, topologies
from tests.stand_in_site import Here

BOX = Box("lab", "1.1", Path("/box"), "quiet", 20, Runtime.CONTAINERD, "v1.24.10", "0" * 64, {})
RUNTIME = Containerd()
GROUPS = ("", "overlay", "underlay")
"""Of the suite's pods, in acceptance/expectations."""


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> ClusterSecrets:
    return load_or_make_secrets(tmp_path_factory.mktemp("secrets") / "secrets.json")


@pytest.fixture(scope="module")
def render(secrets: ClusterSecrets) -> Callable[[Plan], None]:
    """Renders all that does not depend on the mode."""
    needs = NodeNeeds(RUNTIME, ())

    def render(plan: Plan) -> None:
        settings = settings_of(plan.kubernetes, RUNTIME, emulated=True)
        render_svg(plan)
        render_vagrantfile(plan, BOX, MachineSettings(driver="qemu"))
        ssh_config_text(plan, KeyFiles(Path("/key"), Path("/known_hosts")), Here())
        for network in plan.networks:
            ElementTree.fromstring(network_xml(network, plan.nodes))  # noqa: S314 - made here
        list(yaml.safe_load_all(init_configuration(plan, RUNTIME, secrets, settings)))
        for node in plan.control_planes:
            control_plane_files(plan, node, secrets)
        for node in balancing_nodes(plan):
            balancer_script(plan, node, settings.tuning, secrets.authority.certificate)
        admin_kubeconfig(plan, secrets)
        for node in plan.nodes:
            node_script(plan, node, needs)
            kubelet_serving_files(plan, node, secrets)
            joins = yaml.safe_load(join_configuration(plan, node, RUNTIME, secrets, settings))
            assert joins["nodeRegistration"]["name"] == node.name
            dns_label(node.name)
            for group in GROUPS:
                label_value(probe_name(node.name, group))

    return render


@examples
@given(topologies())
def test_a_valid_topology_can_be_rendered(render: Callable[[Plan], None], topology: Topology) -> None:
    render(make_plan(topology))


@examples
@given(topologies())
def test_a_mode_refuses_a_valid_topology_or_can_be_rendered_for_it(topology: Topology) -> None:
    plan = make_plan(topology)
    blocks = tuple(
        dataclasses.replace(node, pod_block=IPv4Network((f"10.200.{number}.0", 24)))
        for number, node in enumerate(plan.nodes)
    )
    for mode in MODES:
        for options in ({}, *mode.variants):
            chosen = dataclasses.replace(plan.in_mode(ModeChoice(mode.name, options)), nodes=blocks)
            try:
                mode.check(chosen)
            except WrongUseError:
                continue
            setup = install.arrange_mode(mode, chosen, _images(mode))
            for node in chosen.nodes:
                install.node_script(node, setup)
                install.script_before(node, setup)


def _images(mode: Mode) -> Images:
    return Images(tuple(f"registry.lab.internal/{name}:v1" for name in ("pause", "flannel", *mode.images)))
