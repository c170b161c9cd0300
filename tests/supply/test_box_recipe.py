"""The recipe's files say what the rest of the lab counts on."""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from lab.supply.box.build import PAUSE_IMAGE_FILES, PAUSE_IMAGE_MARK
from lab.supply.box.inputs import RECIPE

SCRIPTS = sorted(RECIPE.glob("*.sh"))
FILES = sorted(path for path in RECIPE.rglob("*") if path.is_file())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_sound(script: Path) -> None:
    subprocess.run(("sh", "-n", script), check=True)
    assert os.access(script, os.X_OK)
    if script.name != "init.sh":
        assert "\nset -eu\n" in script.read_text()


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(RECIPE)))
def test_no_address_of_the_outside(file: Path) -> None:
    hosts = re.findall(r"https?://([^/\s]+)", file.read_text())
    assert set(hosts) <= {"kubernetes.io"}


def test_containerd_uses_the_cgroup_driver_of_kubelet_and_the_boxs_cni_folders() -> None:
    config = tomllib.loads((RECIPE / "containerd/etc/containerd/config.toml").read_text())
    cri = config["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"] is True
    assert cri["cni"] == {"bin_dir": "/opt/cni/bin", "conf_dir": "/etc/cni/net.d"}
    assert cri["sandbox_image"] == PAUSE_IMAGE_MARK


def test_every_mark_for_the_pause_image_is_in_a_file_that_gets_its_name() -> None:
    marked = {str(path.relative_to(RECIPE)) for path in FILES if PAUSE_IMAGE_MARK in path.read_text()}
    named = {f"{layer}/{name}" for layer in ("containerd", "cri-dockerd") for name in PAUSE_IMAGE_FILES}
    assert marked
    assert marked <= named


def test_docker_uses_the_cgroup_driver_of_kubelet() -> None:
    config = json.loads((RECIPE / "cri-dockerd/etc/docker/daemon.json").read_text())
    assert config["exec-opts"] == ["native.cgroupdriver=systemd"]


def test_a_socket_that_stays_open_wants_the_time_stamps_of_packets() -> None:
    unit = configparser.ConfigParser()
    unit.read(RECIPE / "root/etc/systemd/system/systemd-udevd-kernel.socket.d/lab.conf")
    assert unit["Socket"]["Timestamping"] == "us"


def test_vagrants_ssh_can_log_in() -> None:
    config = (RECIPE / "root/etc/ssh/sshd_config").read_text()
    # vagrant's net-ssh knows ecdh-sha2-nistp256 and needs an ecdsa or rsa host key.
    assert "HostKey /etc/ssh/ssh_host_ecdsa_key" in config
    limits = [line for line in config.splitlines() if line.startswith("KexAlgorithms")]
    assert all("ecdh-sha2-nistp256" in line for line in limits)
    assert "UsePAM no" in config


def test_the_uplink_gives_way_to_the_kernel_line() -> None:
    # systemd-network-generator writes 90-eth0.network; networkd takes the first name that matches.
    names = [path.name for path in (RECIPE / "root/etc/systemd/network").glob("*.network")]
    assert names == ["95-uplink.network"]
    assert names[0] > "90-eth0.network"


def test_networkd_leaves_the_routes_of_network_modes_alone() -> None:
    parser = configparser.ConfigParser()
    parser.read(RECIPE / "root/etc/systemd/networkd.conf.d/lab.conf")
    assert parser["Network"]["ManageForeignRoutes"] == "no"
    assert parser["Network"]["ManageForeignRoutingPolicyRules"] == "no"


def test_no_name_points_to_a_loopback_address_of_its_own() -> None:
    assert "127.0.1.1" not in (RECIPE / "root/etc/hosts").read_text()


def test_nodes_forward_and_show_bridged_packets_to_iptables() -> None:
    lines = (RECIPE / "root/etc/sysctl.d/90-kubernetes.conf").read_text().splitlines()
    assert "net.ipv4.ip_forward = 1" in lines
    assert "net.bridge.bridge-nf-call-iptables = 1" in lines
