"""Nodes that are folders of this host: scripts run here, with a stand-in for containerd's client."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Interface
from pathlib import Path

from lab.foundation.errors import LabError
from lab.images.stores import ContainerdStore
from lab.nodes.connection import NodeCommandError, Result, Script
from lab.nodes.pool import in_parallel
from lab.topology.plan import NodePlan, Plan
from tests.stand_in_site import Here

FAKE = Path(__file__).parent / "fake_ctr.py"
STORE = ContainerdStore(ctr=f"{sys.executable} {FAKE}", folder="/")
LOST = LabError("node k8s-node1: the connection broke", resolution="lab status")


@dataclass
class OneNode:
    """Runs scripts here, as the node whose store is in `folder`."""

    name: str
    folder: Path
    lost: bool = False
    ran: list[str] = field(default_factory=list)

    def run(
        self, what: Script, *, timeout: float = 0, on_line: Callable[[str], None] | None = None
    ) -> Result:
        if self.lost:
            raise LOST
        self.ran.append(what.name)
        done = subprocess.run(
            ["bash", "-c", f"set -euo pipefail\n{what.text}"],
            env={**os.environ, "FAKE_CTR": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        result = Result(self.name, done.returncode, done.stdout, done.stderr)
        for line in done.stdout.splitlines() if on_line else ():
            assert on_line is not None
            on_line(line)
        if result.status:
            raise NodeCommandError(what, result, f"exit status {result.status}")
        return result


class HereNodes:
    """As many nodes as the plan has, all on this host."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        uplink = replace(plan.uplink, host_address=IPv4Interface("127.0.0.1/8"))
        self.plan = replace(plan, networks=(uplink, *plan.networks[1:]))
        self.site = Here()
        self.each = {node.name: OneNode(node.name, folder / node.name) for node in plan.nodes}
        for one in self.each.values():
            one.folder.mkdir()

    def __getitem__(self, name: str) -> OneNode:
        return self.each[name]

    def on_each(self, nodes: Sequence[NodePlan], work: Callable[[NodePlan], object]) -> dict[str, object]:
        return in_parallel({node.name: lambda node=node: work(node) for node in nodes})  # type: ignore[misc]
