"""flannel's backends: what differs between them, and nothing else does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.modes.install import arrange_mode
from lab.modes.mode import Images
from lab.modes.registry import mode_named
from lab.topology.plan import Plan

IMAGES = Images(("registry.lab.internal/flannel:v0.28.4",))


def objects(plan: Plan, backend: str) -> dict[str, Any]:
    manifests = arrange_mode(mode_named(f"flannel-{backend}"), plan, IMAGES).manifests
    return {manifest["kind"]: manifest for manifest in manifests}


@pytest.mark.parametrize(
    ("backend", "settings"),
    [
        ("vxlan", {"Type": "vxlan", "VNI": 1, "Port": 8472}),
        ("host-gw", {"Type": "host-gw"}),
        ("ipip", {"Type": "ipip"}),
        ("udp", {"Type": "udp", "Port": 8285}),
    ],
)
def test_the_daemon_is_told_its_backend(plan: Plan, backend: str, settings: dict[str, object]) -> None:
    document = json.loads(objects(plan, backend)["ConfigMap"]["data"]["net-conf.json"])
    assert document == {"Network": "10.200.0.0/16", "Backend": settings}


@pytest.mark.parametrize("backend", ["vxlan", "host-gw", "ipip", "udp"])
def test_only_the_backend_udp_opens_a_tun_device_and_is_privileged(plan: Plan, backend: str) -> None:
    pod = objects(plan, backend)["DaemonSet"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    mounted = {each["mountPath"] for each in container["volumeMounts"]}
    paths = {volume["hostPath"]["path"] for volume in pod["volumes"] if "hostPath" in volume}
    opens_tun = backend == "udp"
    assert container["securityContext"]["privileged"] is opens_tun
    assert ("/dev/net/tun" in mounted) is opens_tun
    assert ("/dev/net/tun" in paths) is opens_tun
    setup = arrange_mode(mode_named(f"flannel-{backend}"), plan, IMAGES).nodes["k8s-node1"]
    assert ("modprobe tun" in setup.start) is opens_tun
    assert [file.content for file in setup.files] == (["tun\n"] if opens_tun else [])
