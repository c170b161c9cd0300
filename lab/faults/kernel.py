"""Faults of a node's kernel settings."""

from __future__ import annotations

from lab.faults.fault import Before, Fault, Site
from lab.modes.mode import Mode
from lab.topology.plan import NodePlan, Plan

IP_FORWARD = "net.ipv4.ip_forward"


def _no_forwarding(site: Site, node: NodePlan, before: Before) -> None:
    site.run(node, f"sysctl --quiet --write {IP_FORWARD}=0", f"{IP_FORWARD} 0")


def _forwarding(site: Site, node: NodePlan, before: Before) -> None:
    site.run(node, f"sysctl --quiet --write {IP_FORWARD}=1", f"{IP_FORWARD} 1")


def _filter_before(site: Site, node: NodePlan) -> Before:
    """The device that has the node's underlay address, which may be a bridge over the NIC, and its filter."""
    nic = node.nic_on(site.underlay.name).device
    script = f"""\
device={nic}
if [ -e /sys/class/net/{nic}/master/bridge ]; then
  device=$(basename "$(readlink /sys/class/net/{nic}/master)")
fi
echo "$device $(cat "/proc/sys/net/ipv4/conf/$device/rp_filter")"
"""
    device, value = site.run(node, script, "read rp_filter").split()
    return {"device": device, "value": value}


def _strict(site: Site, node: NodePlan, before: Before) -> None:
    _set_filter(site, node, before, "1")


def _former_filter(site: Site, node: NodePlan, before: Before) -> None:
    _set_filter(site, node, before, before["value"])


def _set_filter(site: Site, node: NodePlan, before: Before, value: str) -> None:
    # By the file: a device's name may have a dot in it, as sysctl's separator is.
    path = f"/proc/sys/net/ipv4/conf/{before['device']}/rp_filter"
    site.run(node, f"echo {value} >{path}", f"rp_filter {value}")


def needs_underlay(plan: Plan, mode: Mode) -> str:
    return "" if plan.underlay is not None else "the topology has no underlay"


KERNEL_FAULTS = (
    Fault("ip-forward-off", f"{IP_FORWARD} is 0 on a node", _no_forwarding, _forwarding),
    Fault(
        "rp-filter-strict",
        "strict reverse path filtering (rp_filter 1) on a node's underlay NIC",
        _strict,
        _former_filter,
        remember=_filter_before,
        unfit=needs_underlay,
    ),
)
