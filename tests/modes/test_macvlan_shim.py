"""The host shim's program, run for real in namespaces: a node, one of its pods, a LAN host, a bridge."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.modes.macvlan import SHIM
from lab.modes.underlay import shim_program
from lab.topology.plan import Plan

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="network namespaces need root"
)

NODE, POD, LAN, GATEWAY = "172.31.7.101", "172.31.6.1", "172.31.0.100", "172.31.0.2"

SETUP = f"""
set -e
mkdir -p /run/netns
mount -t tmpfs tmpfs /run/netns
mount -t tmpfs tmpfs /usr/local/sbin
ip link add br0 type bridge
ip address add {GATEWAY}/21 dev br0
ip link set br0 up
join() {{
  ip netns add $1
  ip link add port-$1 type veth peer name $2 netns $1
  ip link set port-$1 master br0 up
  ip -n $1 address add $3/21 dev $2
  ip -n $1 link set $2 up
  ip -n $1 link set lo up
}}
join node eth1 {NODE}
join lan eth0 {LAN}
ip netns add pod
ip -n node link add link eth1 name macvlan0 type macvlan mode bridge
ip -n node link set macvlan0 netns pod name eth0
ip -n pod address add {POD}/21 dev eth0
ip -n pod link set eth0 up
echo ready
read -r end
"""


@dataclass(frozen=True)
class Wires:
    """The namespaces, by the process that holds them."""

    pid: int

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["nsenter", "-t", str(self.pid), "-n", "-m", "--", *words],
            capture_output=True,
            text=True,
            check=False,
        )

    def reaches(self, namespace: str, address: str) -> bool:
        words = ("ip", "netns", "exec", namespace, "ping", "-c", "1", "-W", "1", address)
        return self.run(*words).returncode == 0

    def make_shim(self, program: str) -> None:
        done = self.run("ip", "netns", "exec", "node", "bash", "-c", program)
        assert done.returncode == 0, done.stderr


@pytest.fixture
def wires() -> Iterator[Wires]:
    holder = subprocess.Popen(
        ["unshare", "--net", "--mount", "bash", "-c", SETUP],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    if holder.stdout.readline() != "ready\n":
        pytest.skip("this kernel has no macvlan, veth or bridge")
    yield Wires(holder.pid)
    holder.stdin.close()
    holder.wait(timeout=10)


@pytest.fixture(scope="module")
def program(plan: Plan) -> str:
    node = plan.first_control_plane
    underlay = plan.underlay
    assert underlay is not None
    return shim_program(node, underlay, SHIM).text


def test_without_the_shim_node_and_pod_do_not_see_each_other(wires: Wires) -> None:
    assert wires.reaches("pod", LAN)
    assert wires.reaches("lan", POD)
    assert not wires.reaches("node", POD)
    assert not wires.reaches("pod", NODE)


def test_with_the_shim_they_do_and_everybody_else_still_does(wires: Wires, program: str) -> None:
    wires.make_shim(program)
    for namespace, address in (
        ("node", POD),
        ("pod", NODE),
        ("pod", LAN),
        ("lan", POD),
        ("pod", GATEWAY),
        ("node", LAN),
        ("lan", NODE),
    ):
        assert wires.reaches(namespace, address), f"{namespace} to {address}"


def test_pods_see_the_node_under_its_own_address(wires: Wires, program: str) -> None:
    wires.make_shim(program)
    route = wires.run("ip", "-n", "node", "route", "get", POD).stdout
    assert f"dev lab-shim src {NODE}" in route


def test_only_the_nic_answers_the_lan_for_the_nodes_address(wires: Wires, program: str) -> None:
    wires.make_shim(program)
    nic = Path("/sys/class/net/eth1/address")
    mac = wires.run("ip", "netns", "exec", "node", "cat", str(nic)).stdout.strip()
    for _ in range(5):
        wires.run("ip", "-n", "lan", "neigh", "flush", "dev", "eth0")
        assert wires.reaches("lan", NODE)
        assert mac in wires.run("ip", "-n", "lan", "neigh", "show", NODE).stdout


def test_it_may_run_again(wires: Wires, program: str) -> None:
    wires.make_shim(program)
    before = wires.run("ip", "-n", "node", "-4", "-o", "address").stdout
    wires.make_shim(program)
    assert wires.run("ip", "-n", "node", "-4", "-o", "address").stdout == before
    assert wires.reaches("node", POD)
