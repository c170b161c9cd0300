from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.cluster.readiness import COREDNS, KUBE_PROXY
from lab.foundation.errors import LabError, WrongUseError
from lab.modes.install import arrange_mode, node_script, script_before
from lab.modes.mode import Images, Mode
from lab.modes.registry import MODES, mode_named
from lab.modes.underlay import HOST_SHIM
from lab.topology.models import Installer, NetworkRole
from lab.topology.plan import NodePlan, Plan

GOLDEN = Path(__file__).parent / "golden"
IMAGES = Images(
    tuple(
        f"registry.lab.internal/{name}"
        for name in (
            *("pause:3.7", "flannel:v0.28.4", "hybridnet:v0.8.8"),
            *("calico-node:v3.25.0", "calico-node-ipip:v3.25.0"),
            *("calico-cni:v3.25.0", "calico-kube-controllers:v3.25.0"),
        )
    )
)
Compare = Callable[[Path, str], None]
every_mode = pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)


def with_options(plan: Plan, **options: bool | int | str) -> Plan:
    return dataclasses.replace(plan, mode_options=options)


def cni(mode: Mode, plan: Plan, node: NodePlan) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(arrange_mode(mode, plan, IMAGES).nodes[node.name].cni.content)
    return document


@every_mode
def test_what_a_mode_puts_on_a_node(mode: Mode, plan: Plan, compare_with_golden: Compare) -> None:
    setup = arrange_mode(mode, plan, IMAGES)
    script = node_script(plan.workers[0], setup)
    for text in (script_before(plan.workers[0], setup).text, script.text):
        assert subprocess.run(["bash", "-n", "-c", text], check=False).returncode == 0
    compare_with_golden(GOLDEN / f"{mode.name}.sh", script.text)


def test_what_flannel_puts_into_the_cluster(plan: Plan, compare_with_golden: Compare) -> None:
    manifests = arrange_mode(mode_named("flannel-vxlan"), plan, IMAGES).manifests
    compare_with_golden(GOLDEN / "flannel-vxlan.yaml", yaml.safe_dump_all(manifests, sort_keys=False))


@every_mode
def test_every_node_has_its_part_and_the_cni_configuration_comes_last(mode: Mode, plan: Plan) -> None:
    setup = arrange_mode(mode, plan, IMAGES)
    assert list(setup.nodes) == [node.name for node in plan.nodes]
    for node in plan.nodes:
        part, script = setup.nodes[node.name], node_script(node, setup).text
        before = script[: script.index(part.cni.path)]
        assert part.start in before
        assert part.ready in before


@every_mode
def test_pods_get_their_host_port_unless_the_node_cannot_reach_them(mode: Mode, plan: Plan) -> None:
    assert arrange_mode(mode, plan, IMAGES).host_ports
    for options in mode.variants:
        reached = options.get(HOST_SHIM.name, True)
        assert arrange_mode(mode, with_options(plan, **options), IMAGES).host_ports is reached


@every_mode
def test_only_calico_enforces_policies(mode: Mode) -> None:
    assert mode.enforces_policies == mode.name.startswith("calico-")


@every_mode
def test_the_same_plan_gives_the_same_setup_and_another_plan_another(mode: Mode, plan: Plan) -> None:
    def mark(of: Plan) -> str:
        return node_script(of.nodes[0], arrange_mode(mode, of, IMAGES)).text

    api = dataclasses.replace(plan.kubernetes.api, addresses=(IPv4Address("172.31.7.110"),))
    kubernetes = dataclasses.replace(plan.kubernetes, api=api, pod_cidr=IPv4Network("10.201.0.0/16"))
    networks = tuple(
        dataclasses.replace(network, host_address=IPv4Interface("172.31.0.3/21"))
        if network.role is NetworkRole.UNDERLAY
        else network
        for network in plan.networks
    )
    shares = tuple(
        dataclasses.replace(node, underlay_pods=plan.nodes[0].underlay_pods) for node in plan.nodes
    )
    other = dataclasses.replace(plan, kubernetes=kubernetes, nodes=shares, networks=networks)
    assert mark(plan) == mark(plan)
    assert mark(plan) != mark(other)


def test_macvlan_ranges_do_not_meet(plan: Plan) -> None:
    ranges = []
    for node in plan.nodes:
        (given,) = cni(mode_named("macvlan"), plan, node)["plugins"][0]["ipam"]["ranges"][0]
        ranges.append((IPv4Address(given["rangeStart"]), IPv4Address(given["rangeEnd"])))
        assert given["gateway"] == "172.31.0.2"
    ordered = sorted(ranges)
    assert all(last < first for (_, last), (first, _) in pairwise(ordered))


def test_macvlan_services_go_through_the_pods_own_node(plan: Plan) -> None:
    for node in plan.nodes:
        routes = cni(mode_named("macvlan"), plan, node)["plugins"][0]["ipam"]["routes"]
        assert routes == [
            {"dst": "0.0.0.0/0", "gw": "172.31.0.2"},
            {"dst": "10.96.0.0/16", "gw": str(node.internal_address)},
        ]


def test_macvlan_without_the_shim_is_the_textbooks(plan: Plan) -> None:
    plain = with_options(plan, host_shim=False)
    setup = arrange_mode(mode_named("macvlan"), plain, IMAGES)
    for node in plan.nodes:
        assert setup.nodes[node.name].files == ()
        assert setup.nodes[node.name].start == ""
        routes = cni(mode_named("macvlan"), plain, node)["plugins"][0]["ipam"]["routes"]
        assert [route["dst"] for route in routes] == ["0.0.0.0/0"]
    assert setup.workloads == (KUBE_PROXY,)
    assert COREDNS in arrange_mode(mode_named("macvlan"), plan, IMAGES).workloads


def test_flannel_speaks_to_the_api_without_kube_proxy(plan: Plan) -> None:
    api = dataclasses.replace(plan.kubernetes.api, addresses=(IPv4Address("172.31.7.110"),), port=443)
    balanced = dataclasses.replace(plan, kubernetes=dataclasses.replace(plan.kubernetes, api=api))
    manifests = arrange_mode(mode_named("flannel-vxlan"), balanced, IMAGES).manifests
    (container,) = manifests[-1]["spec"]["template"]["spec"]["containers"]
    given = {each["name"]: each.get("value") for each in container["env"]}
    assert given["KUBERNETES_SERVICE_HOST"] == "172.31.7.110"
    assert given["KUBERNETES_SERVICE_PORT"] == "443"
    assert container["image"] == "registry.lab.internal/flannel:v0.28.4"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"host_shimm": True}, "it has no option host_shimm (it has: host_shim)"),
        ({"host_shim": "no"}, "its option host_shim is 'no', expected bool"),
        ({"host_shim": 1}, "its option host_shim is 1, expected bool"),
    ],
)
def test_wrong_options(plan: Plan, options: dict[str, bool | int | str], said: str) -> None:
    with pytest.raises(WrongUseError) as caught:
        mode_named("macvlan").check(with_options(plan, **options))
    assert said in str(caught.value)


def test_all_that_macvlan_lacks_is_told_at_once(plan: Plan) -> None:
    underlay = plan.underlay
    assert underlay is not None
    bare = dataclasses.replace(underlay, pod_range=None)
    node = plan.workers[0]
    cut = dataclasses.replace(node, nics=tuple(nic for nic in node.nics if nic.network != underlay.name))
    broken = dataclasses.replace(
        plan,
        networks=tuple(bare if network is underlay else network for network in plan.networks),
        nodes=tuple(cut if each is node else each for each in plan.nodes),
    )
    with pytest.raises(WrongUseError) as caught:
        arrange_mode(mode_named("macvlan"), broken, IMAGES)
    assert "node k8s-node1 has no NIC on underlay" in str(caught.value)
    assert "no pod_range" in str(caught.value)


def test_a_mode_that_does_not_exist() -> None:
    with pytest.raises(WrongUseError, match="there is no mode macvlam") as caught:
        mode_named("macvlam")
    assert "did you mean macvlan?" in str(caught.value)
    assert len({mode.name for mode in MODES}) == len(MODES)


def test_an_image_is_found_by_its_whole_name() -> None:
    images = Images(("registry.lab.internal/flannel-cni:1", "registry.lab.internal/flannel:v0.28.4"))
    assert images.named("flannel") == "registry.lab.internal/flannel:v0.28.4"
    assert images.lacking(("flannel", "flanne")) == {"flanne": "its box has no image flanne"}
    with pytest.raises(LabError, match="the box has no image flanne"):
        images.named("flanne")


def test_a_mode_is_refused_with_the_reasons_when_its_images_are_missing() -> None:
    mode_named("hybridnet").refuse_without({})
    with pytest.raises(WrongUseError, match="the mode hybridnet cannot run") as caught:
        mode_named("hybridnet").refuse_without(Images(()).lacking(("hybridnet",)))
    assert "its box has no image hybridnet" in str(caught.value)


def test_from_binaries_kube_proxy_is_no_workload_of_any_mode(plan: Plan) -> None:
    mode = mode_named("macvlan")
    pods, units = (arrange_mode(mode, plan.by(installer), IMAGES) for installer in Installer)
    assert pods.workloads == (KUBE_PROXY, *units.workloads)
    assert dataclasses.replace(pods, workloads=units.workloads) == units
