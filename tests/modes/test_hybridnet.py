"""hybridnet: what goes into the cluster, in which order, and what a topology must have for it."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.cluster.pki import new_authority
from lab.foundation.errors import WrongUseError
from lab.modes.hybridnet.names import MANAGERS, WEBHOOKS
from lab.modes.install import arrange_mode, programs_of, script_before
from lab.modes.mode import Images
from lab.modes.registry import mode_named
from lab.modes.trust import serving_secret, with_trust
from lab.supply.catalogue import load_entry
from lab.supply.oci import reference
from lab.topology.loader import load_topology
from lab.topology.mode_choice import ModeChoice
from lab.topology.plan import Plan
from lab.topology.planner import make_plan

IMAGES = Images(("registry.lab.internal/hybridnet:v0.8.8",))
TOPOLOGIES = Path(__file__).parents[2] / "topologies"
HYBRIDNET = mode_named("hybridnet")


def objects(plan: Plan) -> dict[tuple[str, str], Mapping[str, Any]]:
    manifests = arrange_mode(HYBRIDNET, plan, IMAGES).manifests
    return {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in manifests}


def with_labels(plan: Plan, **labels: str) -> Plan:
    nodes = tuple(dataclasses.replace(node, labels=labels) for node in plan.nodes)
    return dataclasses.replace(plan, nodes=nodes)


@pytest.fixture
def course() -> Plan:
    return make_plan(load_topology(TOPOLOGIES / "course-exact.yaml")).in_mode(ModeChoice("hybridnet"))


def test_what_it_puts_into_the_cluster(plan: Plan, compare_with_golden: Callable[[Path, str], None]) -> None:
    manifests = [
        manifest
        for (kind, _), manifest in objects(plan).items()
        if kind != "CustomResourceDefinition"  # a data file of its own
    ]
    text = yaml.safe_dump_all(manifests, sort_keys=False)
    compare_with_golden(Path(__file__).parent / "golden/hybridnet.yaml", text)


def test_definitions_come_first_and_networks_before_the_webhook_that_judges_them(plan: Plan) -> None:
    kinds = [kind for kind, _ in objects(plan)]
    assert kinds[:4] == ["CustomResourceDefinition"] * 4
    assert kinds.index("Network") > kinds.index("DaemonSet")
    assert kinds.index("Subnet") < kinds.index("ValidatingWebhookConfiguration")


def test_the_underlay_is_the_courseworks(plan: Plan) -> None:
    found = objects(plan)
    network = found["Network", "underlay-network1"]["spec"]
    assert network == {"netID": 0, "type": "Underlay", "nodeSelector": {"network": "underlay-nethost"}}
    assert found["Subnet", "underlay-network1"]["spec"]["range"] == {
        "version": "4",
        "cidr": "172.31.0.0/21",
        "gateway": "172.31.0.2",
        "start": "172.31.6.1",
        "end": "172.31.6.254",
    }


def test_no_object_comes_before_kube_proxys_rule_for_the_api(plan: Plan) -> None:
    setup = arrange_mode(HYBRIDNET, plan, IMAGES)
    assert "-A KUBE-SERVICES -d 10.96.0.1/32 " in script_before(plan.workers[0], setup).text


def test_by_default_one_manager_on_the_control_plane(plan: Plan) -> None:
    for name in ("hybridnet-manager", "hybridnet-webhook"):
        spec = objects(plan)["Deployment", name]["spec"]
        assert spec["replicas"] == 1
        selector = spec["template"]["spec"]["nodeSelector"]
        assert selector == {"node-role.kubernetes.io/control-plane": ""}
    assert arrange_mode(HYBRIDNET, plan, IMAGES).wait_for_labels == ()


def test_placed_as_in_the_chart_they_wait_for_the_label_of_old(course: Plan) -> None:
    chart = dataclasses.replace(course, mode_options={"placement": "master"})
    spec = objects(chart)["Deployment", "hybridnet-manager"]["spec"]
    assert spec["replicas"] == 3
    assert spec["template"]["spec"]["nodeSelector"] == {"node-role.kubernetes.io/master": ""}
    assert arrange_mode(HYBRIDNET, chart, IMAGES).wait_for_labels == (MANAGERS, WEBHOOKS)


@pytest.mark.parametrize(
    ("labels", "placement", "said"),
    [
        ({}, "control-plane", "node k8s-node2 lacks the label network: underlay-nethost"),
        ({"network": "underlay-nethost"}, "master", "no node has the label node-role.kubernetes.io/master"),
        (
            {"network": "underlay-nethost"},
            "worker",
            "placement is 'worker', expected control-plane or master",
        ),
    ],
)
def test_what_a_topology_lacks(plan: Plan, labels: dict[str, str], placement: str, said: str) -> None:
    broken = dataclasses.replace(with_labels(plan, **labels), mode_options={"placement": placement})
    with pytest.raises(WrongUseError) as caught:
        HYBRIDNET.check(broken)
    assert said in str(caught.value)


def test_the_api_server_trusts_the_webhook_and_only_webhooks_are_changed(plan: Plan) -> None:
    authority = new_authority("kubernetes")
    (wanted,) = arrange_mode(HYBRIDNET, plan, IMAGES).certificates
    secret = serving_secret(wanted, authority)
    assert secret["metadata"] == {"name": "hybridnet-webhook-certificate", "namespace": "kube-system"}
    assert b"EC PRIVATE KEY" in base64.b64decode(secret["data"]["tls.key"])
    found = objects(plan)
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        (configuration,) = (each for (of, _), each in found.items() if of == kind)
        for webhook in with_trust(configuration, authority)["webhooks"]:
            assert base64.b64decode(webhook["clientConfig"]["caBundle"]).decode() == authority.certificate
            assert webhook["clientConfig"]["service"]["name"] == "hybridnet-webhook"
    daemon = found["DaemonSet", "hybridnet-daemon"]
    assert with_trust(daemon, authority) is daemon


def test_the_courseworks_file_makes_the_network_that_the_mode_makes(course: Plan) -> None:
    file = TOPOLOGIES.parent / "examples/underlay-cases-files/1.create-underlay-network.yaml"
    made = objects(course)
    for manifest in yaml.safe_load_all(file.read_text()):
        assert manifest == made[manifest["kind"], manifest["metadata"]["name"]]


def test_the_courseworks_pods_use_an_image_that_the_supply_has() -> None:
    images = {reference(image) for image in load_entry("v1.24.10").images}
    for file in (TOPOLOGIES.parent / "examples/underlay-cases-files").glob("*tomcat*.yaml"):
        deployment, service = yaml.safe_load_all(file.read_text())
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["image"] in images
        assert service["spec"]["selector"] == deployment["spec"]["template"]["metadata"]["labels"]


def test_users_may_make_the_networks_from_the_examples() -> None:
    plan = make_plan(load_topology(TOPOLOGIES / "course-exact.yaml"))
    whole = arrange_mode(HYBRIDNET, plan, IMAGES)
    programs = programs_of(HYBRIDNET, whole)
    left_out = [each for each in whole.manifests if each not in programs.manifests]
    examples = TOPOLOGIES.parent / "examples"
    files = (
        examples / "hybridnet-overlay-network.yaml",
        examples / "underlay-cases-files" / "1.create-underlay-network.yaml",
    )
    assert left_out == [each for file in files for each in yaml.safe_load_all(file.read_text())]
    assert programs.nodes == whole.nodes
    assert programs.workloads == whole.workloads
