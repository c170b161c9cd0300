"""Faults of a node as a machine: its clock and its disk."""

from __future__ import annotations

import time

from lab.faults.fault import Before, Fault, Site
from lab.foundation.wait import NotYetError
from lab.topology.models import NodeRole
from lab.topology.plan import NodePlan

HOUR = 3600
CLOCK_TOLERANCE = 5.0
"""Seconds by which a node's clock, asked over ssh, may seem to be off."""

FILLER = "/var/lib/lab-filler"
LEAST_FREE = 16
"""Blocks of 4 KiB that may stay free on a full disk."""


def _behind(site: Site, node: NodePlan, before: Before) -> None:
    # Behind, not ahead: Kubernetes takes a node that is set back for silent until the old time comes again.
    site.run(node, f"date --set @{time.time() - HOUR:.0f} >/dev/null", "set the clock an hour back")


def _right_time(site: Site, node: NodePlan, before: Before) -> None:
    site.machines.set_time()

    def right() -> None:
        asked = time.time()
        off = float(site.run(node, "date +%s.%N", "read the clock")) - asked
        if abs(off) > CLOCK_TOLERANCE + time.time() - asked:
            raise NotYetError(f"the clock of {node.name} is {off:.0f} s off")

    site.wait(right, f"the clock of {node.name} is right")


def _fill(site: Site, node: NodePlan, before: Before) -> None:
    # The bulk without writing it, the rest byte by byte until there is no space left.
    script = f"""\
free() {{ df --output=avail --block-size=4096 / | tail -n 1; }}
space=$(($(free) - 4096))
if [ "$space" -gt 0 ]; then fallocate --length "$((space * 4096))" {FILLER}-1; fi
dd if=/dev/zero of={FILLER}-2 bs=64k oflag=append conv=notrunc status=none 2>/dev/null || true
sync {FILLER}-2
[ "$(free)" -le {LEAST_FREE} ] || {{ echo "$(free) blocks are still free" >&2; exit 1; }}
"""
    site.run(node, script, "fill the disk")


def _free(site: Site, node: NodePlan, before: Before) -> None:
    site.run(node, f"rm -f {FILLER}-1 {FILLER}-2", "free the disk")


MACHINE_FAULTS = (
    Fault("clock-off", "the clock of a node is an hour behind", _behind, _right_time),
    Fault("disk-full", "the disk of a node is full", _fill, _free, only=NodeRole.WORKER),
)
