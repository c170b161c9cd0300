"""What is asked when only one node is of interest: everything that passes it."""

from __future__ import annotations

import pytest

from acceptance.evidence import Evidence
from acceptance.expectations import Expectations, ServiceWay
from acceptance.inventory import Inventory
from acceptance.matrix import pairs
from acceptance.questions import ServiceQuestion, service_questions
from acceptance.scope import WHOLE_LAB, Scope
from acceptance.workload import BackendService

NODES = ("k8s-master1", "k8s-node1", "k8s-node2")
BACKEND_NODE = "k8s-node1"


@pytest.fixture
def every(healthy: Evidence) -> tuple[ServiceQuestion, ...]:
    assert isinstance(healthy.service, BackendService)
    return service_questions(healthy.inventory, healthy.expectations, healthy.service)


def test_the_whole_lab_leaves_nothing_out(
    inventory: Inventory, macvlan: Expectations, every: tuple[ServiceQuestion, ...]
) -> None:
    assert WHOLE_LAB.pairs(pairs(inventory, macvlan)) == pairs(inventory, macvlan)
    assert WHOLE_LAB.questions(every, inventory) == every
    assert tuple(node.name for node in WHOLE_LAB.nodes(inventory)) == NODES


@pytest.mark.parametrize("node", NODES)
def test_cells_from_and_to_a_node_are_asked(node: str, inventory: Inventory, macvlan: Expectations) -> None:
    asked = {pair.label for pair in Scope(node).pairs(pairs(inventory, macvlan))}
    assert asked == {pair.label for pair in pairs(inventory, macvlan) if node in pair.label}
    assert [each.name for each in Scope(node).nodes(inventory)] == [node]


def test_of_services_what_passes_the_node_and_all_names_are_asked(
    inventory: Inventory, every: tuple[ServiceQuestion, ...]
) -> None:
    asked = Scope("k8s-node2").questions(every, inventory)
    left_out = {str(question.sender) for question in every if question not in asked}
    assert left_out == {"pod.k8s-master1", "node.k8s-master1", "pod.k8s-node1", "node.k8s-node1", "lan-host"}
    assert {q.way for q in asked if q.sender.node == "k8s-master1"} == {ServiceWay.DNS}
    assert {q.port_of for q in asked if str(q.sender) == "lan-host"} == {"k8s-node2"}


def test_where_the_pod_behind_the_service_is_every_question_to_it_is_asked(
    inventory: Inventory, every: tuple[ServiceQuestion, ...]
) -> None:
    asked = Scope(BACKEND_NODE).questions(every, inventory)
    assert {q.probe.key for q in every if q not in asked} == {"api"}
