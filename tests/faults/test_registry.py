"""Which faults there are, and in which modes they mean something."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from lab.faults.fault import peer_of
from lab.faults.registry import FAULTS, fault_named
from lab.foundation.errors import WrongUseError
from lab.modes.registry import mode_named, mode_names
from lab.topology.mode_choice import ModeChoice
from lab.topology.plan import Plan

EVERYWHERE = {
    "mtu-too-large",
    "lossy-link",
    "forward-drop",
    "udp-dropped",
    "large-packets-dropped",
    "ip-forward-off",
    "rp-filter-strict",
    "kube-proxy-gone",
    "kube-proxy-halted",
    "coredns-zero",
    "gateway-silent",
    "clock-off",
    "disk-full",
}
OF_SEVERAL_CONTROL_PLANES = {
    "vrrp-split",
    "etcd-member-down",
    "certificate-nameless",
    "health-check-lies",
    "dead-server-named",
}
"""tests/faults/test_control_plane_faults.py."""
MORE = {
    "hybridnet": {"encapsulation-dropped", "cni-daemon-stopped", "label-missing", "duplicate-address"},
    "flannel-vxlan": {"wrong-nic", "encapsulation-dropped", "route-missing", "cni-daemon-stopped"},
    "flannel-host-gw": {"wrong-nic", "cni-daemon-stopped"},
    "flannel-ipip": {"wrong-nic", "encapsulation-dropped", "cni-daemon-stopped"},
    "flannel-udp": {"wrong-nic", "encapsulation-dropped", "cni-daemon-stopped"},
    "calico-vxlan": {"encapsulation-dropped", "cni-daemon-stopped"},
    "calico-ipip": {"encapsulation-dropped", "cni-daemon-stopped"},
    "calico-bgp": {"cni-daemon-stopped"},
    "macvlan": {"wrong-nic", "route-missing", "duplicate-address"},
    "macvlan:host_shim=false": {"wrong-nic", "duplicate-address"},
    "ipvlan-l2": {"wrong-nic", "route-missing", "duplicate-address"},
    "ipvlan-l3s": {"wrong-nic", "route-missing"},
    "bridge": {"duplicate-address"},
    "routed": {"route-missing"},
}


def fitting(plan: Plan, mode: str) -> set[str]:
    chosen = plan.in_mode(ModeChoice.parse(mode))
    return {fault.name for fault in FAULTS if not fault.unfit(chosen, mode_named(chosen.mode))}


def names(faults: Iterable[str]) -> list[str]:
    return sorted(faults)


@pytest.mark.parametrize("mode", MORE)
def test_what_means_something_in_a_mode(plan: Plan, mode: str) -> None:
    assert names(fitting(plan, mode)) == names(EVERYWHERE | MORE[mode])


def test_every_mode_and_every_fault_is_looked_at() -> None:
    assert {mode.partition(":")[0] for mode in MORE} >= set(mode_names())
    assert names(EVERYWHERE.union(OF_SEVERAL_CONTROL_PLANES, *MORE.values())) == names(
        fault.name for fault in FAULTS
    )
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_what_a_topology_lacks_is_told(plan: Plan) -> None:
    underlay = plan.underlay
    assert underlay is not None
    bare = replace(
        plan,
        networks=tuple(replace(each, lan_host=None) if each is underlay else each for each in plan.networks),
    )
    assert "LAN host" in fault_named("gateway-silent").unfit(bare, mode_named("macvlan"))
    alone = replace(plan, nodes=plan.nodes[:1])
    assert "only one node" in fault_named("route-missing").unfit(alone, mode_named("routed"))
    assert peer_of(alone.nodes[0], alone) is None


def test_the_other_end_is_another_worker_or_another_node(plan: Plan) -> None:
    master, first, second = plan.nodes
    assert peer_of(second, plan) == first
    assert peer_of(first, plan) == second
    assert peer_of(first, replace(plan, nodes=(master, first))) == master


def test_a_fault_that_there_is_not() -> None:
    with pytest.raises(WrongUseError) as caught:
        fault_named("forward-drob")
    assert caught.value.details == "did you mean forward-drop?"
