"""All nodes of a lab at once: one connection each, worked on in parallel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from lab.foundation.errors import LabError
from lab.foundation.wait import Deadline
from lab.host.site import Site
from lab.nodes.connection import NodeConnection
from lab.nodes.keys import KeyFiles
from lab.topology.plan import NodePlan, Plan

T = TypeVar("T")


class NodesError(LabError):
    """The same work failed on several nodes; the details hold each node's error."""


class Nodes:
    """The connections to a lab's nodes, in the network of its site."""

    def __init__(self, plan: Plan, keys: KeyFiles, site: Site) -> None:
        self.plan = plan
        self.site = site
        self._connections: Mapping[str, NodeConnection] = {
            node.name: NodeConnection(node.name, str(node.nic_on(plan.uplink.name).primary.ip), keys, site)
            for node in plan.nodes
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._connections.values():
            connection.close()

    def __getitem__(self, name: str) -> NodeConnection:
        return self._connections[name]

    def wait_until_answer(self, deadline: Deadline, on_wait: Callable[[str], None] | None = None) -> None:
        """Wait until every node lets root in by ssh."""
        self.on_each(self.plan.nodes, lambda node: self[node.name].wait_until_answers(deadline, on_wait))

    def on_each(self, nodes: Iterable[NodePlan], work: Callable[[NodePlan], T]) -> dict[str, T]:
        """Do `work` for every node at the same time; the values by node name.

        All are waited for. Raises the error of the one node that failed, or NodesError when several did.
        """
        return in_parallel({node.name: lambda node=node: work(node) for node in nodes})  # type: ignore[misc]


def in_parallel(works: Mapping[str, Callable[[], T]]) -> dict[str, T]:
    """Do all works at the same time, each in a thread of its own; the values by name.

    All are waited for. Raises the one error, or NodesError when several works failed with a LabError.
    """
    if not works:
        return {}
    with ThreadPoolExecutor(max_workers=len(works)) as pool:
        futures = {name: pool.submit(work) for name, work in works.items()}
    errors = {name: error for name, future in futures.items() if (error := future.exception()) is not None}
    for error in errors.values():
        if len(errors) == 1 or not isinstance(error, LabError):
            raise error
    if errors:
        raise NodesError(
            f"{', '.join(errors)}: the same step failed on several nodes",
            details="\n\n".join(str(error) for error in errors.values()),
        )
    return {name: future.result() for name, future in futures.items()}
