"""Which part of a lab is asked: all of it, or what touches one node."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from acceptance.expectations import ServiceWay
from acceptance.inventory import Inventory, Node
from acceptance.matrix import Pair
from acceptance.questions import ServiceQuestion


@dataclass(frozen=True)
class Scope:
    """What is asked, and so what must be right."""

    node: str | None = None
    """Only what touches this node; the whole lab without one."""

    def nodes(self, inventory: Inventory) -> tuple[Node, ...]:
        """The nodes that tell of themselves."""
        return tuple(node for node in inventory.nodes if self.node in (None, node.name))

    def pairs(self, every: Iterable[Pair]) -> tuple[Pair, ...]:
        """Of the matrix, the cells that are asked: the sender or the target is on the node."""
        return tuple(
            pair for pair in every if self.node is None or self.node in (pair.sender.node, pair.target.node)
        )

    def questions(
        self, every: Iterable[ServiceQuestion], inventory: Inventory
    ) -> tuple[ServiceQuestion, ...]:
        """Of the questions about Services, those that pass the node, and all names: who resolves them may run
        on any node."""
        return tuple(
            question
            for question in every
            if self.node in (None, question.sender.node, question.port_of)
            or question.way is ServiceWay.DNS
            or (question.by_backend and self.node == inventory.backend_node.name)
        )


WHOLE_LAB = Scope()
