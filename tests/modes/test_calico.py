"""calico's modes: what goes into the cluster, and what differs between them."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.cluster.objects import WorkloadKind
from lab.modes.install import arrange_mode
from lab.modes.mode import Images
from lab.modes.registry import mode_named
from lab.supply.oci import FOLDERS
from lab.topology.plan import Plan

IMAGES = Images(
    tuple(
        f"registry.lab.internal/{name}:v3.25.0"
        for name in ("calico-node", "calico-node-ipip", "calico-cni", "calico-kube-controllers")
    )
)
every_transport = pytest.mark.parametrize("transport", ["vxlan", "ipip", "bgp"])
TEMPLATE = """\
filter calico_kernel_programming {
    krt_tunnel = "{{$data.ipip}}";         {{- /* the tunnel */}}
    accept;
}
"""
"""As in confd/etc/calico/confd/templates/bird_ipam.cfg.template of calico v3.25.0."""


def objects(plan: Plan, transport: str) -> dict[tuple[str, str], Mapping[str, Any]]:
    manifests = arrange_mode(mode_named(f"calico-{transport}"), plan, IMAGES).manifests
    return {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in manifests}


def daemon(plan: Plan, transport: str) -> Mapping[str, Any]:
    pod = objects(plan, transport)["DaemonSet", "calico-node"]["spec"]["template"]["spec"]
    container: Mapping[str, Any] = pod["containers"][0]
    return container


def environment(plan: Plan, transport: str) -> dict[str, str]:
    return {each["name"]: each["value"] for each in daemon(plan, transport)["env"] if "value" in each}


def test_what_it_puts_into_the_cluster(plan: Plan, compare_with_golden: Callable[[Path, str], None]) -> None:
    manifests = [
        manifest
        for (kind, _), manifest in objects(plan, "vxlan").items()
        if kind != "CustomResourceDefinition"  # all alike
    ]
    text = yaml.safe_dump_all(manifests, sort_keys=False)
    compare_with_golden(Path(__file__).parent / "golden/calico-vxlan.yaml", text)


@every_transport
def test_definitions_come_first_and_the_pool_before_the_daemons(plan: Plan, transport: str) -> None:
    kinds = [kind for kind, _ in objects(plan, transport)]
    assert kinds[:17] == ["CustomResourceDefinition"] * 17
    assert kinds.index("IPPool") < kinds.index("DaemonSet")


@pytest.mark.parametrize(
    ("transport", "vxlan", "ipip", "mtu"),
    [("vxlan", "Always", "Never", 1450), ("ipip", "Never", "Always", 1480), ("bgp", "Never", "Never", 1500)],
)
def test_how_packets_go_to_other_nodes(plan: Plan, transport: str, vxlan: str, ipip: str, mtu: int) -> None:
    pool = objects(plan, transport)["IPPool", "default-ipv4-ippool"]["spec"]
    assert (pool["cidr"], pool["blockSize"], pool["natOutgoing"]) == ("10.200.0.0/16", 26, True)
    assert (pool["vxlanMode"], pool["ipipMode"]) == (vxlan, ipip)
    setup = arrange_mode(mode_named(f"calico-{transport}"), plan, IMAGES)
    for node in plan.nodes:
        plugin = json.loads(setup.nodes[node.name].cni.content)["plugins"][0]
        assert (plugin["mtu"], plugin["nodename"]) == (mtu, node.name)
    told = environment(plan, transport)
    assert told["CALICO_NETWORKING_BACKEND"] == ("vxlan" if transport == "vxlan" else "bird")
    assert {name: value for name, value in told.items() if "MTU" in name} == (
        {"FELIX_VXLANMTU": "1450"}
        if transport == "vxlan"
        else {"FELIX_IPINIPMTU": "1480"}
        if transport == "ipip"
        else {}
    )
    assert told.get("BGP_TUNNEL") == ("tunl0" if transport == "ipip" else None)


@every_transport
def test_the_network_of_the_nodes_is_named(plan: Plan, transport: str) -> None:
    assert environment(plan, transport)["IP_AUTODETECTION_METHOD"] == "cidr=172.31.0.0/21"
    other = dataclasses.replace(plan, node_network="management")
    assert environment(other, transport)["IP_AUTODETECTION_METHOD"] == "cidr=192.168.6.0/24"


@every_transport
def test_ready_is_what_the_nodes_part_says_and_with_bgp_its_sessions_too(plan: Plan, transport: str) -> None:
    probe = daemon(plan, transport)["readinessProbe"]
    assert ("-bird-ready" in probe.get("exec", {}).get("command", ())) is (transport != "vxlan")
    waited_for = {
        workload.name
        for workload in arrange_mode(mode_named(f"calico-{transport}"), plan, IMAGES).workloads
        if workload.kind in (WorkloadKind.DAEMON_SET, WorkloadKind.DEPLOYMENT)
    }
    assert {"calico-node", "calico-kube-controllers", "coredns"} <= waited_for


def started(folder: Path, bird: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """start-calico-node with a program `bird` that ends as the text says, as far as starting the daemons."""
    (folder / "bird_ipam.cfg.template").write_text(TEMPLATE)
    (folder / "bird").write_text(f"#!/bin/sh\n{bird}\n")
    (folder / "bird").chmod(0o755)
    script = (FOLDERS / "calico-node/usr/local/bin/start-calico-node").read_text()
    for path in ("templates=/etc/calico/confd/templates", "probe=/run/krt_tunnel.conf"):
        name, _, value = path.partition("=")
        assert path in script
        at = folder if name == "templates" else folder / Path(value).name
        script = script.replace(path, f"{name}={at}")
    script = script.replace("exec /sbin/start_runit", "echo started in $SVDIR")
    variables = {"PATH": f"{folder}:/usr/bin:/bin", **environment}
    return subprocess.run(["sh", "-c", script], env=variables, capture_output=True, text=True, check=False)


STARTED = "started in /etc/service/enabled\n"


def test_calicos_bird_gets_calicos_templates(tmp_path: Path) -> None:
    assert started(tmp_path, "exit 0", BGP_TUNNEL="tunl0").stdout == STARTED
    assert (tmp_path / "bird_ipam.cfg.template").read_text() == TEMPLATE


def test_another_bird_is_not_asked_for_what_only_calicos_has(tmp_path: Path) -> None:
    assert started(tmp_path, "exit 1").stdout == STARTED
    changed = (tmp_path / "bird_ipam.cfg.template").read_text()
    assert changed == "filter calico_kernel_programming {\n    accept;\n}\n"


def test_another_bird_cannot_do_with_a_tunnel_and_says_so(tmp_path: Path) -> None:
    done = started(tmp_path, "[ $1 = -p ] && exit 1; echo BIRD version 1.6.8", BGP_TUNNEL="tunl0")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "this BIRD cannot lead routes into tunl0: it is not calico's own (BIRD version 1.6.8)\n"
    )
