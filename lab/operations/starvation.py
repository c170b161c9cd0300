"""Whether the machines of a lab get so little of the host's processors that its cluster cannot work."""

from __future__ import annotations

import os
from collections.abc import Sequence

from lab.foundation.errors import LabError
from lab.nodes.connection import Script
from lab.operations.context import Lab
from lab.topology.plan import NodePlan

ROUNDS = 20000
WORK = Script(
    f"""
began=${{EPOCHREALTIME//[.,]/}}
for ((round = 0; round < {ROUNDS}; round++)); do :; done
echo $(( ${{EPOCHREALTIME//[.,]/}} - began ))
"""
)
"""Prints the microseconds of an empty loop in bash."""
USUAL_SECONDS = 2.0
"""Of the loop on each of three nodes at once, without KVM, on two processors: measured in hybridnet."""
STARVED = 8.0
"""How many times slower than usual a cluster loses its leases, and requests time out."""
LIMIT = 20.0
"""Seconds after which a node has not answered."""


def starvation(lab: Lab, running: Sequence[NodePlan]) -> tuple[str, ...]:
    """One line when these machines are starved; none when they are not, or when no node could be asked."""
    seconds = lab.nodes.on_each(running, lambda node: _work(lab, node.name))
    slow = {
        name: each for name, each in seconds.items() if each is not None and each >= STARVED * USUAL_SECONDS
    }
    if not slow:
        return ()
    name, longest = max(slow.items(), key=lambda item: item[1])
    host = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
    return (
        f"the machines are starved: {name} works {longest / USUAL_SECONDS:.0f} times slower than usual,"
        f" the host has {host}; end other programs on the host",
    )


def _work(lab: Lab, node: str) -> float | None:
    try:
        return int(lab.nodes[node].run(WORK, timeout=LIMIT).stdout) / 1e6
    except LabError:
        return None
