"""Nodes whose underlay NICs differ, since one of them has no management network."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab.modes.install import arrange_mode, node_script
from lab.modes.mode import Images, Mode, ModeSetup, NicSetting
from lab.modes.registry import MODES, mode_named
from lab.topology.plan import NodePlan, Plan

IMAGES = Images(tuple(f"registry.lab.internal/{name}:1" for name in {n for m in MODES for n in m.images}))
DEVICES = {"k8s-master1": "eth2", "k8s-node1": "eth1", "k8s-node2": "eth2"}


def container_of(setup: ModeSetup) -> dict[str, Any]:
    """The one container of the mode's daemon."""
    (daemon,) = (each for each in setup.manifests if each["kind"] == "DaemonSet")
    (container,) = daemon["spec"]["template"]["spec"]["containers"]
    return dict(container)


def environment(container: dict[str, Any], node: NodePlan) -> dict[str, str]:
    """What kubelet makes of the container's variables on that node."""
    fields = {
        "spec.nodeName": node.name,
        "status.hostIP": str(node.internal_address),
        "status.podIP": str(node.internal_address),  # of a pod in the node's own network
    }
    return {
        each["name"]: each.get("value") or fields.get(each["valueFrom"]["fieldRef"]["fieldPath"], "")
        for each in container["env"]
    }


def expanded(word: str, variables: dict[str, str]) -> str:
    """An argument as kubelet hands it over: `$(NAME)` is the variable's value."""
    for name, value in variables.items():
        word = word.replace(f"$({name})", value)
    return word


def start_hybridnet(setup: ModeSetup, variables: dict[str, str], folder: Path) -> Any:
    """Runs the daemon's command with `echo` in the daemon's place, and what it mounts in `folder`."""
    container = container_of(setup)
    (settings,) = (each for each in setup.manifests if each["kind"] == "ConfigMap")
    for name, text in settings["data"].items():
        (folder / name).write_text(text)
    _, _, script, *words = container["command"]
    mounted = next(each["mountPath"] for each in container["volumeMounts"] if each["name"] == "nics")
    for path, stand_in in {
        mounted: folder,
        "/run/cni": folder,
        "/hybridnet/hybridnet-daemon": "echo",
    }.items():
        script = script.replace(path, str(stand_in))
    return subprocess.run(
        ["sh", "-c", script, *words, *container["args"]],
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_topology_is_of_that_shape(different: Plan) -> None:
    assert {node.name: node.nic_on("underlay").device for node in different.nodes} == DEVICES


@pytest.mark.parametrize("name", [mode.name for mode in MODES if mode.nic_setting is NicSetting.DAEMON])
def test_flannel_finds_the_nic_by_its_nodes_address(name: str, different: Plan) -> None:
    container = container_of(arrange_mode(mode_named(name), different, IMAGES))
    (word,) = (word for word in container["args"] if word.startswith("--iface="))
    for node in different.nodes:
        nic = node.nic_on(different.node_network)
        chosen = expanded(word, environment(container, node)).removeprefix("--iface=")
        assert chosen in (nic.device, str(nic.primary.ip))


def test_hybridnet_uses_each_nodes_own_nics(different: Plan, tmp_path: Path) -> None:
    setup = arrange_mode(mode_named("hybridnet"), different, IMAGES)
    for node in different.nodes:
        done = start_hybridnet(setup, environment(container_of(setup), node), tmp_path)
        for kind in ("vxlan", "vlan", "bgp"):
            assert f"--prefer-{kind}-interfaces={DEVICES[node.name]}" in done.stdout.split()
        assert "--vtep-address-cidrs=172.31.0.0/21" in done.stdout.split()


def test_hybridnet_does_not_guess_the_nics_of_a_node_that_the_plan_does_not_know(
    different: Plan, tmp_path: Path
) -> None:
    setup = arrange_mode(mode_named("hybridnet"), different, IMAGES)
    done = start_hybridnet(setup, {"KUBE_NODE_NAME": "k8s-node9"}, tmp_path)
    assert done.returncode != 0
    assert "k8s-node9" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_nothing_on_a_node_names_another_nodes_nic(mode: Mode, different: Plan) -> None:
    setup = arrange_mode(mode, different, IMAGES)
    for node in different.nodes:
        named = set(re.findall(r"(?<!br-)\beth[12]\b", node_script(node, setup).text))
        assert named <= {DEVICES[node.name]}
