"""macvlan: every pod is a host of the underlay network, with a MAC of its own on the node's NIC."""

from __future__ import annotations

from lab.modes.mode import NIC, Images, Mode, ModeSetup, NicSetting, PacketPath
from lab.modes.underlay import HOST_SHIM, Shim, arrange
from lab.topology.plan import Plan

SHIM = Shim(
    link="macvlan mode bridge",
    # It carries the node's own address, as the NIC does, and each shall answer only those who are reached
    # through it: the shim the node's own pods, the NIC everybody else.
    settings=("arp_filter=1", "rp_filter=2"),
)


def _arrange(plan: Plan, images: Images) -> ModeSetup:
    return arrange(MACVLAN, plan, {"type": "macvlan", "mode": "bridge"}, SHIM)


MACVLAN = Mode(
    name="macvlan",
    summary="pods are hosts of the underlay network, with MAC addresses of their own",
    arrange=_arrange,
    options=(HOST_SHIM,),
    needs_underlay=True,
    variants=({HOST_SHIM.name: False},),
    paths=(PacketPath(("eth0 (macvlan)", NIC), "plain, pod MACs"),),
    nic_setting=NicSetting.CNI,
    unseen_by_nodes="what pods send to each other: it never enters their node",
    routes_stay_away=True,
)
