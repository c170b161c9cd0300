"""Faults of a node's link to the underlay: packets get lost on it."""

from __future__ import annotations

from lab.faults.fault import Before, Fault, Site
from lab.faults.kernel import needs_underlay
from lab.topology.plan import NodePlan

LOSS_PERCENT = 10


def _lossy(site: Site, node: NodePlan, before: Before) -> None:
    # The queueing discipline of the NIC, below what pods' devices and tunnels send through it: tc-netem(8).
    device = node.nic_on(site.underlay.name).device
    site.run(
        node, f"tc qdisc replace dev {device} root netem loss {LOSS_PERCENT}%", f"{device} loses packets"
    )


def _lossless(site: Site, node: NodePlan, before: Before) -> None:
    device = node.nic_on(site.underlay.name).device
    script = f"""\
if tc qdisc show dev {device} root | grep --quiet '^qdisc netem '; then tc qdisc delete dev {device} root; fi
"""
    site.run(node, script, f"{device} loses none")


LINK_FAULTS = (
    Fault(
        "lossy-link",
        f"a node's underlay NIC loses {LOSS_PERCENT} % of what it sends",
        _lossy,
        _lossless,
        unfit=needs_underlay,
    ),
)
