"""Nodes in place of real ones, which keep what they were told and answer what they are asked by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lab.foundation.wait import Deadline
from lab.nodes.connection import Result, Script
from lab.topology.plan import NodePlan


@dataclass
class ToldNodes:
    """`agrees` says, of a question and of the script that a node was told last, whether it says yes."""

    agrees: Callable[[str, str], bool]
    told: dict[str, str] = field(default_factory=dict)
    asked: int = 0

    def on_each(self, nodes: Sequence[NodePlan], work: Callable[[NodePlan], Result]) -> dict[str, Result]:
        return {node.name: work(node) for node in nodes}

    def wait_until_answer(self, deadline: Deadline, on_wait: Callable[[str], None] | None = None) -> None:
        assert deadline.left > 0

    def __getitem__(self, name: str) -> ToldNode:
        return ToldNode(self, name)


@dataclass
class ToldNode:
    all: ToldNodes
    name: str

    def run(self, script: Script, *, check: bool = True) -> Result:
        """What is not to fail is an order, the rest a question."""
        if check:
            self.all.told[self.name] = script.text
            return Result(self.name, 0, "", "")
        self.all.asked += 1
        yes = self.all.agrees(script.text, self.all.told.get(self.name, ""))
        return Result(self.name, 0 if yes else 1, "", "")
