"""kube-network-policies beside a network mode."""

from __future__ import annotations

import pytest

from lab.foundation.errors import WrongUseError
from lab.modes.enforcer import ENFORCERS, NAME, enforces, images_needed
from lab.modes.install import arrange_mode
from lab.modes.mode import Images
from lab.modes.registry import MODES, mode_named
from lab.topology.models import PolicyEnforcer
from lab.topology.plan import Plan

IMAGES = Images(("registry.k8s.io/flannel:v0.28.4", f"registry.k8s.io/{NAME}:v0.8.0"))
UNABLE = {"macvlan", "ipvlan-l2", "ipvlan-l3s", "calico-vxlan", "calico-ipip", "calico-bgp"}


@pytest.fixture
def enforced(plan: Plan) -> Plan:
    return plan.with_policy(PolicyEnforcer.KUBE_NETWORK_POLICIES)


def test_it_is_one_more_workload_with_its_image(plan: Plan, enforced: Plan) -> None:
    flannel = mode_named("flannel-vxlan")
    assert ENFORCERS not in arrange_mode(flannel, plan, IMAGES).workloads
    setup = arrange_mode(flannel, enforced, IMAGES)
    assert ENFORCERS in setup.workloads
    (pod,) = (
        each["spec"]["template"]["spec"]
        for each in setup.manifests
        if each["metadata"].get("name") == NAME
        if each["kind"] == "DaemonSet"
    )
    (container,) = pod["containers"]
    assert container["image"] == f"registry.k8s.io/{NAME}:v0.8.0"
    api = {each["name"]: each.get("value") for each in container["env"]}
    assert api["KUBERNETES_SERVICE_HOST"] == str(plan.api_on_nodes.address)


def test_its_image_is_needed_only_where_it_is_wanted(plan: Plan, enforced: Plan) -> None:
    routed = mode_named("routed")
    assert images_needed(plan, routed) == ()
    assert images_needed(enforced, routed) == (NAME,)
    assert enforces(enforced, routed)
    assert not enforces(plan, routed)
    assert enforces(plan, mode_named("calico-vxlan"))


def test_it_is_refused_where_it_sees_not_all_or_is_not_needed(enforced: Plan) -> None:
    for mode in MODES:
        if mode.name in UNABLE:
            with pytest.raises(WrongUseError) as caught:
                mode.check(enforced)
            assert NAME in (caught.value.details or "")
        else:
            mode.check(enforced)
