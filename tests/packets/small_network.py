"""Two nodes with a pod each, an overlay by VXLAN and a bridge between them, in namespaces of this machine."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lab.packets.spots import HOST_SIDE, Spot

NODES = ("node-a", "node-b")
SETUP_LIMIT = 30.0


@dataclass(frozen=True)
class NamespaceMachine:
    """A process that holds a network namespace; `name` is the machine on which it is said to be."""

    name: str
    pid: int

    def command(self, script: str) -> list[str]:
        return ["nsenter", "--target", str(self.pid), "--net", "--", "bash", "-c", script]


@dataclass(frozen=True)
class SmallNetwork:
    pids: dict[str, int] = field(default_factory=dict)

    def spot(self, name: str) -> Spot:
        """node-a, node-b, pod-a, pod-b or lab-host."""
        machine = HOST_SIDE if name == HOST_SIDE else f"node-{name[-1]}"
        return Spot(name, NamespaceMachine(machine, self.pids[name]))

    @property
    def spots(self) -> list[Spot]:
        return [self.spot(name) for name in self.pids]

    def run(self, name: str, script: str) -> str:
        """Raises CalledProcessError."""
        words = NamespaceMachine(name, self.pids[name]).command(f"set -e\n{script}")
        done = subprocess.run(words, capture_output=True, text=True, timeout=SETUP_LIMIT, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{name}: {done.stderr}")
        return done.stdout


def node_address(number: int) -> str:
    return f"10.9.0.{number}"


def pod_address(number: int) -> str:
    return f"10.244.{number}.2"


def _vtep_mac(number: int) -> str:
    return f"02:00:00:00:01:0{number}"


@contextmanager
def small_network() -> Iterator[SmallNetwork]:
    """It ends with the block."""
    network = SmallNetwork()
    holders: list[subprocess.Popen[bytes]] = []
    try:
        for name in (HOST_SIDE, *NODES, "pod-a", "pod-b"):
            holder = subprocess.Popen(
                ["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"], stdout=-1
            )
            holders.append(holder)
            assert holder.stdout is not None
            holder.stdout.readline()
            network.pids[name] = holder.pid
            network.run(name, "ip link set lo up")
        network.run(
            HOST_SIDE, "ip link add br0 type bridge; ip link set br0 up; ip address add 10.9.0.254/24 dev br0"
        )
        for number, letter in enumerate("ab", start=1):
            _make_node(network, number, letter)
        yield network
    finally:
        for holder in holders:
            holder.kill()
            holder.wait()
            assert holder.stdout is not None
            holder.stdout.close()


def _make_node(network: SmallNetwork, number: int, letter: str) -> None:
    node, pod, other = f"node-{letter}", f"pod-{letter}", 3 - number
    network.run(
        HOST_SIDE,
        f"""
ip link add tap{letter} type veth peer name eth1 netns {network.pids[node]}
ip link set tap{letter} master br0 up
""",
    )
    network.run(
        node,
        f"""
sysctl -qw net.ipv4.ip_forward=1
ip link set eth1 up
ip address add {node_address(number)}/24 dev eth1
ip link add flannel.1 address {_vtep_mac(number)} type vxlan id 1 dev eth1 local {node_address(number)} \\
  dstport 8472 nolearning
ip address add 10.244.{number}.0/32 dev flannel.1
ip link set flannel.1 up
ip route add 10.244.{other}.0/24 via 10.244.{other}.0 dev flannel.1 onlink
ip neigh replace 10.244.{other}.0 lladdr {_vtep_mac(other)} dev flannel.1 nud permanent
bridge fdb append {_vtep_mac(other)} dev flannel.1 dst {node_address(other)}
ip link add cni0 type bridge
ip address add 10.244.{number}.1/24 dev cni0
ip link set cni0 up
ip link add veth{letter} type veth peer name eth0 netns {network.pids[pod]}
ip link set veth{letter} master cni0 up
""",
    )
    network.run(
        pod,
        f"""
ip link set eth0 mtu 1450 up
ip address add {pod_address(number)}/24 dev eth0
ip route add default via 10.244.{number}.1
""",
    )
