"""ipvlan in mode l2: every pod is a host of its own on the underlay network, with its node's MAC."""

from __future__ import annotations

from lab.cluster.proxy import strict_arp
from lab.modes.mode import NIC, Images, Mode, ModeSetup, NicSetting, PacketPath
from lab.modes.underlay import HOST_SHIM, Shim, arrange
from lab.topology.plan import Plan

SHIM = Shim(
    link="ipvlan mode l2",
    # All interfaces have the NIC's MAC, so what comes in is told apart by its address alone. With the node's
    # own address the shim would take the LAN's packets and ARP replies away from the NIC; so it has another
    # one, and asks with that for its pods' MACs (arp_announce).
    settings=("arp_filter=1", "arp_announce=2", "rp_filter=2"),
    own_address=True,
)


def _arrange(plan: Plan, images: Images) -> ModeSetup:
    return arrange(IPVLAN_L2, plan, {"type": "ipvlan", "mode": "l2"}, SHIM)


def _problems(plan: Plan) -> list[str]:
    if not strict_arp(plan):
        return []
    return [
        "kube-proxy (ipvs) with service addresses inside a network needs strict ARP (arp_ignore 1), and then"
        " the host shim cannot answer for the node's address, which it does not have"
    ]


IPVLAN_L2 = Mode(
    name="ipvlan-l2",
    summary="pods are hosts of the underlay network, with their node's MAC address",
    arrange=_arrange,
    options=(HOST_SHIM,),
    needs_underlay=True,
    problems=_problems,
    variants=({HOST_SHIM.name: False},),
    paths=(PacketPath(("eth0 (ipvlan)", NIC), "plain, node MACs"),),
    nic_setting=NicSetting.CNI,
    unseen_by_nodes="what pods send to each other: it never enters their node",
    routes_stay_away=True,
)
