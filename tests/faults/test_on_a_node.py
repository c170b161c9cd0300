"""Faults of a node, put in and taken out for real, in namespaces that stand for one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from lab.cluster.objects import NodeState
from lab.faults import nic as nic_faults
from lab.faults.fault import Site
from lab.faults.registry import fault_named
from lab.foundation.errors import LabError
from lab.nodes.connection import Command, Result, Script
from lab.topology.plan import NodePlan
from tests.faults.site_stand_ins import BashNode, MakeSite, MemoryApi

IPTABLES_STATE = "iptables -S; iptables -t nat -S"


def there_and_back(site: Site, worker: NodePlan, name: str, state: Callable[[], str], *signs: str) -> None:
    """Put the fault in twice, out twice: with the signs while it is in, and nothing else afterwards."""
    fault, before = fault_named(name), state()
    remembered = fault.remember(site, worker)
    fault.inject(site, worker, remembered)
    first = state()
    for sign in signs:
        assert sign in first, f"{sign!r} is not in:\n{first}"
        assert sign not in before
    fault.inject(site, worker, remembered)
    assert state() == first
    fault.clear(site, worker, remembered)
    assert state() == before
    fault.clear(site, worker, remembered)
    assert state() == before


@dataclass(frozen=True)
class Sign:
    """How a firewall fault shows itself in what iptables lists."""

    fault: str
    mode: str
    line: str


SIGNS = (
    Sign("forward-drop", "macvlan", "-P FORWARD DROP"),
    Sign(
        "encapsulation-dropped",
        "flannel-vxlan",
        "-A INPUT -s 172.31.7.102/32 -p udp -m udp --dport 8472 -j DROP",
    ),
    Sign("encapsulation-dropped", "flannel-udp", "--dport 8285 -j DROP"),
    Sign("encapsulation-dropped", "flannel-ipip", "-A INPUT -s 172.31.7.102/32 -p ipencap -j DROP"),
    Sign("udp-dropped", "macvlan", "-A FORWARD -p udp -j DROP"),
    Sign("large-packets-dropped", "routed", "-A FORWARD -m length --length 1000:65535 -j DROP"),
)


@pytest.mark.parametrize("sign", SIGNS, ids=lambda sign: f"{sign.fault} in {sign.mode}")
def test_firewall(site: MakeSite, node: BashNode, worker: NodePlan, sign: Sign) -> None:
    here = site(sign.mode, node=node)
    node.bash("iptables -A FORWARD -s 10.200.0.0/16 -j ACCEPT")
    there_and_back(here, worker, sign.fault, lambda: node.bash(IPTABLES_STATE), sign.line)


def test_a_policy_that_was_drop_stays_so(site: MakeSite, node: BashNode, worker: NodePlan) -> None:
    node.bash("iptables -P FORWARD DROP")
    there_and_back(site("macvlan", node=node), worker, "forward-drop", lambda: node.bash(IPTABLES_STATE))


def test_forwarding(site: MakeSite, node: BashNode, worker: NodePlan) -> None:
    node.bash("sysctl -qw net.ipv4.ip_forward=1")
    state = "cat /proc/sys/net/ipv4/ip_forward"
    there_and_back(site("routed", node=node), worker, "ip-forward-off", lambda: node.bash(state), "0")


def test_reverse_path_filter(site: MakeSite, node: BashNode, worker: NodePlan) -> None:
    node.bash("sysctl -qw net.ipv4.conf.eth1.rp_filter=2")
    state = "cat /proc/sys/net/ipv4/conf/eth1/rp_filter"
    there_and_back(site("macvlan", node=node), worker, "rp-filter-strict", lambda: node.bash(state), "1")


def test_reverse_path_filter_of_a_bridge_over_the_nic(
    site: MakeSite, node: BashNode, worker: NodePlan
) -> None:
    node.bash("ip link add br-eth1 type bridge; ip link set eth1 master br-eth1")
    node.bash("sysctl -qw net.ipv4.conf.br-eth1.rp_filter=0 net.ipv4.conf.eth1.rp_filter=0")
    state = "grep . /proc/sys/net/ipv4/conf/*eth1/rp_filter"
    there_and_back(
        site("bridge", node=node), worker, "rp-filter-strict", lambda: node.bash(state), "br-eth1/rp_filter:1"
    )


TC = """#!/bin/bash
# Keeps whether there is netem, and says what tc 6.1 does on a node of a lab.
case "$*" in
  "qdisc show dev eth1 root")
    if [ -e STATE ]; then echo 'qdisc netem 8001: root refcnt 2 limit 1000 loss 10%'
    else echo 'qdisc noqueue 0: root refcnt 2'; fi ;;
  "qdisc replace dev eth1 root netem loss 10%") touch STATE ;;
  "qdisc delete dev eth1 root")
    [ -e STATE ] || { echo 'Error: Cannot delete qdisc with handle of zero.' >&2; exit 2; }
    rm STATE ;;
  *) echo "unexpected: $*" >&2; exit 1 ;;
esac
"""


def test_a_lossy_link(site: MakeSite, node: BashNode, worker: NodePlan, tmp_path: Path) -> None:
    """Not every kernel that runs these tests has netem, so tc is a stand-in."""
    program = tmp_path / "tc"
    program.write_text(TC.replace("STATE", str(tmp_path / "netem")))
    program.chmod(0o755)
    node.bash(f'mount --bind {program} "$(command -v tc)"')
    state = "tc qdisc show dev eth1 root"
    there_and_back(site("macvlan", node=node), worker, "lossy-link", lambda: node.bash(state), "loss 10%")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where CNI's and flannel's files are looked for."""
    monkeypatch.setattr(nic_faults, "CNI_FOLDER", str(tmp_path))
    monkeypatch.setattr(nic_faults, "FLANNEL_FILE", str(tmp_path / "subnet.env"))
    return tmp_path


def test_mtu_of_a_mode_with_a_tunnel(site: MakeSite, node: BashNode, worker: NodePlan, files: Path) -> None:
    node.add_device("flannel.1", 1450)
    (files / "subnet.env").write_text("FLANNEL_SUBNET=10.200.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n")
    (files / "10-flannel.conflist").write_text('{"plugins": [{"type": "flannel"}]}\n')

    def state() -> str:
        links = node.bash("cat /sys/class/net/eth1/mtu /sys/class/net/flannel.1/mtu")
        return links + "".join(file.read_text() for file in sorted(files.iterdir()))

    there_and_back(
        site("flannel-vxlan", node=node), worker, "mtu-too-large", state, "1600\n1550", "FLANNEL_MTU=1550"
    )


def test_mtu_of_a_mode_without(site: MakeSite, node: BashNode, worker: NodePlan, files: Path) -> None:
    conflist = files / "10-macvlan.conflist"
    conflist.write_text('{\n  "type": "macvlan",\n  "mtu": 1500,\n  "master": "eth1"\n}\n')

    def state() -> str:
        return node.bash("cat /sys/class/net/eth1/mtu") + conflist.read_text()

    there_and_back(site("macvlan", node=node), worker, "mtu-too-large", state, "1600", '"mtu": 1600,')


def test_the_wrong_nic_in_a_cni_configuration(
    site: MakeSite, node: BashNode, worker: NodePlan, files: Path
) -> None:
    conflist = files / "10-macvlan.conflist"
    conflist.write_text('{\n  "type": "macvlan",\n  "mtu": 1500,\n  "master": "eth1"\n}\n')
    there_and_back(site("macvlan", node=node), worker, "wrong-nic", conflist.read_text, '"master": "eth0"')


def test_the_route_to_another_nodes_pods(site: MakeSite, node: BashNode, worker: NodePlan) -> None:
    block = IPv4Network("10.200.1.0/24")
    states = [NodeState("k8s-node1", {}, True, "", "v1.24.10", block)]
    node.add_device("flannel.1")
    node.bash("ip address add 10.200.2.0/32 dev flannel.1")
    node.bash(f"ip route add {block} via 10.200.1.0 dev flannel.1 onlink; ip link set to-flannel.1 down")
    here = site("flannel-vxlan", node=node, api=MemoryApi(states=states))
    fault, before = fault_named("route-missing"), node.bash("ip route")
    assert str(block) in before
    remembered = fault.remember(here, worker)
    for _ in range(2):
        fault.inject(here, worker, remembered)
        assert str(block) not in node.bash("ip route")
    for _ in range(2):
        fault.clear(here, worker, remembered)
        assert node.bash("ip route") == before


def test_the_routes_to_a_nodes_own_pods_by_its_shim(site: MakeSite, node: BashNode, worker: NodePlan) -> None:
    node.add_device("lab-shim")
    for block in ("172.31.6.170/31", "172.31.6.172/30"):
        node.bash(f"ip route add {block} dev lab-shim scope link src 172.31.7.103")
    here, fault, before = site("macvlan", node=node), fault_named("route-missing"), node.bash("ip route")
    remembered = fault.remember(here, worker)
    fault.inject(here, worker, remembered)
    assert "lab-shim" not in node.bash("ip route")
    fault.inject(here, worker, remembered)
    fault.clear(here, worker, remembered)
    assert node.bash("ip route") == before


def test_a_route_that_is_not_there_cannot_be_taken_away(
    site: MakeSite, node: BashNode, worker: NodePlan
) -> None:
    block = IPv4Network("10.200.1.0/24")
    states = [NodeState("k8s-node1", {}, True, "", "v1.24.10", block)]
    with pytest.raises(LabError, match=r"has no route 10\.200\.1\.0/24"):
        fault_named("route-missing").remember(site("routed", node=node, api=MemoryApi(states=states)), worker)


@dataclass(frozen=True)
class SmallDisk(BashNode):
    """A node whose root is a small file system below a folder."""

    root: Path

    def run(self, what: Command | Script, *, check: bool = True, timeout: float = 60.0) -> Result:
        assert isinstance(what, Script)
        text = what.text.replace("/var/lib", f"{self.root}/var/lib").replace("4096 /", f"4096 {self.root}")
        return super().run(Script(text, what.name), check=check, timeout=timeout)


def test_a_full_disk(site: MakeSite, node: BashNode, worker: NodePlan, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    node.bash(
        f"truncate -s 64M {tmp_path}/disk; mkfs.ext4 -q -m 0 {tmp_path}/disk; mount {tmp_path}/disk {root}\n"
        f"mkdir -p {root}/var/lib"
    )
    here, fault = site("macvlan", node=SmallDisk(node.pid, root)), fault_named("disk-full")
    used = f"df --output=used {root} | tail -n 1"
    before = node.bash(used)
    for _ in range(2):
        fault.inject(here, worker, {})
        with pytest.raises(LabError):
            node.bash(f"head -c 200000 /dev/urandom >{root}/more")
        node.bash(f"rm {root}/more")
    for _ in range(2):
        fault.clear(here, worker, {})
        assert node.bash(used) == before
