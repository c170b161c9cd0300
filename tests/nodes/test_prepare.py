from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.foundation.errors import LabError
from lab.nodes.keys import KeyFiles
from lab.nodes.pool import Nodes
from lab.nodes.prepare import NodeNeeds, hosts_file, node_script, sysctl_file
from lab.nodes.runtimes import Containerd, ContainerRuntime, CriDockerd, runtime_named
from lab.topology.models import Runtime
from lab.topology.plan import Plan
from tests.stand_in_site import Here

IMAGES = ("registry.lab.internal/pause:3.7", "registry.lab.internal/etcd:3.5.6-0")
GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("runtime", [Containerd(), CriDockerd()], ids=lambda runtime: runtime.name)
def test_script_of_a_node(
    plan: Plan, runtime: ContainerRuntime, compare_with_golden: Callable[[Path, str], None]
) -> None:
    script = node_script(plan, plan.first_control_plane, NodeNeeds(runtime, IMAGES))
    assert subprocess.run(["bash", "-n", "-c", script.text], check=False).returncode == 0
    compare_with_golden(GOLDEN / f"prepare-{runtime.name}.sh", script.text)


def test_hosts_name_every_node_by_its_internal_address_and_none_by_loopback(plan: Plan) -> None:
    lines = [line.split() for line in hosts_file(plan).splitlines()]
    for node in plan.nodes:
        assert [line[0] for line in lines if node.name in line] == [str(node.internal_address)]


def test_source_checks_are_loose_on_every_nic(plan: Plan) -> None:
    text = sysctl_file(plan.first_control_plane)
    for nic in plan.first_control_plane.nics:
        assert f"net.ipv4.conf.{nic.device}.rp_filter = 2" in text


def test_a_change_of_plan_changes_the_mark(plan: Plan) -> None:
    node = plan.first_control_plane
    one = node_script(plan, node, NodeNeeds(Containerd(), IMAGES)).text
    other = node_script(plan, node, NodeNeeds(Containerd(), IMAGES[:1])).text
    assert one.splitlines()[-5:] != other.splitlines()[-5:]


def preflight(tmp_path: Path, runtime: ContainerRuntime, program: str, stored: tuple[str, ...]) -> str:
    """What a preflight says, on a node whose runtime has stored these images."""
    (tmp_path / "socket").touch()
    listing = "\n".join(stored)
    (tmp_path / program).write_text(f"#!/bin/sh\ncat <<END\n{listing}\nEND\n")
    (tmp_path / program).chmod(0o755)
    script = runtime.preflight(IMAGES)
    checks = script[script.index("there=") :]
    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{checks}"],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else done.stderr


@pytest.mark.parametrize(("runtime", "program"), [(Containerd(), "ctr"), (CriDockerd(), "docker")])
def test_preflight_names_the_image_that_is_missing(
    tmp_path: Path, runtime: ContainerRuntime, program: str
) -> None:
    assert preflight(tmp_path, runtime, program, (*IMAGES, "other:1")) == ""
    assert IMAGES[1] in preflight(tmp_path, runtime, program, IMAGES[:1])
    longer = tuple(f"{image}-and-more" for image in IMAGES)
    assert IMAGES[0] in preflight(tmp_path, runtime, program, longer)


def test_runtimes_by_name() -> None:
    assert runtime_named(Runtime.CONTAINERD).cri_socket == "unix:///run/containerd/containerd.sock"
    assert runtime_named(Runtime.CRI_DOCKERD).services == ("docker.service", "cri-docker.service")
    with pytest.raises(LabError, match="settled"):
        runtime_named(Runtime.AUTO)


def test_connections_go_by_the_uplink(plan: Plan, tmp_path: Path) -> None:
    nodes = Nodes(plan, KeyFiles(tmp_path, tmp_path), Here())
    address = nodes["k8s-node1"]._connection.host
    assert address == str(plan.nodes[1].nic_on(plan.uplink.name).primary.ip)
