"""macvlan: every pod is a host of its own on the underlay network, with a MAC of its own on the node's NIC.

A macvlan interface and its parent device cannot reach each other, so by itself a node reaches none of its
own pods, and they reach neither their node nor, through it, any service. The host shim heals that: one more
macvlan interface beside the pods', belonging to the node. It carries the node's own underlay address (as an
unnumbered interface does), so its pods see the node under the address everybody else knows:

- the node reaches its own pods by routes through the shim;
- pods have a route for services through their own node's address, which the shim answers for;
- kube-proxy masquerades what pods send to services, as they are outside its cluster CIDR. Without that the
  chosen pod would answer the asking one directly on the LAN, and the answer's source would be wrong.
"""

from __future__ import annotations

import json
from ipaddress import summarize_address_range

from lab.cluster.readiness import COREDNS, KUBE_PROXY
from lab.modes.mode import CNI_FOLDER, Images, Mode, ModeOption, ModeSetup, NodeSetup
from lab.nodes.files import NodeFile
from lab.topology.models import AddressRange
from lab.topology.plan import NetworkPlan, NicPlan, NodePlan, Plan

SHIM = "lab-shim"
SHIM_PROGRAM = "/usr/local/sbin/lab-shim"


def _arrange(plan: Plan, images: Images) -> ModeSetup:
    underlay = plan.underlay
    assert underlay is not None, "Mode.check comes first"
    shim = bool(MACVLAN.option(plan, "host_shim"))
    return ModeSetup(
        nodes={node.name: _node_setup(plan, underlay, node, shim) for node in plan.nodes},
        # Without the shim kubelet cannot reach the DNS pods to find them ready, nor they the API.
        workloads=(KUBE_PROXY, COREDNS) if shim else (KUBE_PROXY,),
    )


def _node_setup(plan: Plan, underlay: NetworkPlan, node: NodePlan, shim: bool) -> NodeSetup:
    nic = node.nic_on(underlay.name)
    cni = NodeFile(f"{CNI_FOLDER}/10-macvlan.conflist", cni_configuration(plan, underlay, node, shim))
    if not shim:
        return NodeSetup(cni)
    return NodeSetup(
        cni,
        files=(
            NodeFile(SHIM_PROGRAM, shim_program(node, nic, underlay), 0o755),
            NodeFile(f"/etc/systemd/system/{SHIM}.service", SHIM_UNIT),
        ),
        start=f"systemctl daemon-reload\nsystemctl enable --now {SHIM}.service\n",
    )


def cni_configuration(plan: Plan, underlay: NetworkPlan, node: NodePlan, shim: bool) -> str:
    """The node's CNI configuration: host-local hands out the node's own share of the pod range."""
    nic, share = node.nic_on(underlay.name), _share(node)
    routes = [{"dst": "0.0.0.0/0", "gw": str(underlay.host_address.ip)}]
    if shim:
        routes.append({"dst": str(plan.kubernetes.service_cidr), "gw": str(nic.address.ip)})
    addresses = {
        "subnet": str(underlay.cidr),
        "rangeStart": str(share.first),
        "rangeEnd": str(share.last),
        "gateway": str(underlay.host_address.ip),
    }
    plugin = {
        "type": "macvlan",
        "master": nic.device,
        "mode": "bridge",
        "mtu": underlay.mtu,
        "ipam": {"type": "host-local", "ranges": [[addresses]], "routes": routes},
    }
    document = {"cniVersion": "0.4.0", "name": "macvlan", "plugins": [plugin]}
    return json.dumps(document, indent=2) + "\n"


def shim_program(node: NodePlan, nic: NicPlan, underlay: NetworkPlan) -> str:
    """Bash that makes the node's own macvlan interface and its routes; it may run again at any time.

    arp_filter: two devices carry the node's address, and each shall answer only those who are reached
    through it: the shim the node's own pods, the NIC everybody else.
    """
    address = nic.address.ip
    share = _share(node)
    routes = "\n".join(
        f"ip route replace {block} dev {SHIM} scope link src {address}"
        for block in summarize_address_range(share.first, share.last)
    )
    return f"""\
#!/bin/bash
# The node's own interface beside its pods' on {nic.device}: without it they do not see each other.
set -euo pipefail
ip link set {nic.device} up
if ! [ -e /sys/class/net/{SHIM} ]; then
  ip link add link {nic.device} name {SHIM} mtu {underlay.mtu} type macvlan mode bridge
fi
sysctl --quiet --write net.ipv4.conf.{SHIM}.arp_filter=1 net.ipv4.conf.{SHIM}.rp_filter=2
ip address replace {address}/32 dev {SHIM}
ip link set {SHIM} up
{routes}
"""


SHIM_UNIT = f"""\
[Unit]
Description=The node's own macvlan interface beside its pods'
After=systemd-networkd.service
Before=kubelet.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={SHIM_PROGRAM}

[Install]
WantedBy=multi-user.target
"""


def _share(node: NodePlan) -> AddressRange:
    assert node.underlay_pods is not None, "Mode.check comes first"
    return node.underlay_pods


MACVLAN = Mode(
    name="macvlan",
    summary="pods are hosts of the underlay network, with MAC addresses of their own",
    arrange=_arrange,
    options=(
        ModeOption(
            "host_shim",
            True,
            "a macvlan interface of the node itself, so that it reaches its own pods and they reach services",
        ),
    ),
    needs_underlay=True,
)
