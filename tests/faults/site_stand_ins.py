"""A node that is a bash in namespaces of its own, and a cluster that is a few objects in memory."""

from __future__ import annotations

import copy
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.cluster.api import ApiError
from lab.cluster.objects import NodeState, PodState, Rollout, Workload
from lab.faults.fault import Site
from lab.nodes.connection import Command, NodeCommandError, Result, Script
from lab.topology.plan import NodePlan


@dataclass(frozen=True)
class BashNode:
    """Runs what a node would run in the namespaces (network, mount, process) of one process."""

    pid: int

    def run(self, what: Command | Script, *, check: bool = True, timeout: float = 60.0) -> Result:
        words = (
            list(what.words)
            if isinstance(what, Command)
            else ["bash", "-c", f"set -euo pipefail\n{what.text}"]
        )
        done = subprocess.run(
            ["nsenter", "--target", str(self.pid), "--net", "--mount", "--pid", "--", *words],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        result = Result("node", done.returncode, done.stdout, done.stderr)
        if check and result.status != 0:
            raise NodeCommandError(what, result, f"exit status {result.status}")
        return result

    def bash(self, text: str) -> str:
        return self.run(Script(text)).stdout.strip()

    def add_device(self, name: str, mtu: int = 1500) -> None:
        self.bash(f"ip link add {name} mtu {mtu} type veth peer name to-{name}")
        self.bash(f"ip link set {name} up; ip link set to-{name} up")


@dataclass(frozen=True)
class BashNodes:
    """Every node of the plan is the same bash; without one, nothing is run on nodes."""

    node: BashNode | None

    def __getitem__(self, name: str) -> BashNode:
        assert self.node is not None, f"nothing should be run on {name}"
        return self.node

    def on_each(self, nodes: Iterable[NodePlan], work: Callable[[NodePlan], object]) -> dict[str, object]:
        return {} if self.node is None else {node.name: work(node) for node in nodes}


@dataclass
class MemoryApi:
    """Objects by their path; what is read and merged is the real thing, pods come from `pods_of`."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    pods_of: Callable[[MemoryApi], list[PodState]] = lambda api: []
    states: list[NodeState] = field(default_factory=list)
    merged: Callable[[MemoryApi], None] = lambda api: None
    """Does what a controller does after a change."""
    deleted: list[str] = field(default_factory=list)

    def read(self, path: str) -> dict[str, Any]:
        if path not in self.objects:
            raise ApiError(f"read {path}", "not found", 404)
        return copy.deepcopy(self.objects[path])

    def merge(self, path: str, change: Mapping[str, Any]) -> None:
        self.objects[path] = _merged(self.objects[path], change)
        self.merged(self)

    def delete(self, path: str) -> None:
        self.deleted.append(path)

    def label_node(self, name: str, labels: Mapping[str, str | None]) -> None:
        self.merge(f"/api/v1/nodes/{name}", {"metadata": {"labels": dict(labels)}})

    def pods(self, namespace: str) -> list[PodState]:
        return self.pods_of(self)

    def nodes(self) -> list[NodeState]:
        return self.states

    def rollout(self, workload: Workload) -> Rollout:
        return Rollout(observed=True, wanted=3, ready=3)


def _merged(target: Any, change: Any) -> Any:
    """RFC 7386."""
    if not isinstance(change, Mapping):
        return change
    base = dict(target) if isinstance(target, Mapping) else {}
    for key, value in change.items():
        if value is None:
            base.pop(key, None)
        else:
            base[key] = _merged(base.get(key), value)
    return base


MakeSite = Callable[..., Site]
