"""A pod network of which nothing is known: what is there. Only that no pod can start is wrong."""

from __future__ import annotations

import pytest

from acceptance.found import Found, FoundNode
from acceptance.found_text import (
    devices_text,
    matrix_text,
    names_text,
    pods_text,
    services_text,
    wire_text,
)
from acceptance.inventory import Node
from acceptance.report import SEEN, Record


def _of(node: Node, found: Found) -> FoundNode:
    return next(each for each in found.nodes if each.name == node.name)


def test_pods_start(found: Found, record_property: Record) -> None:
    """At least one of the suite's pods runs and has an address."""
    said = "\n".join(pods_text(node) for node in found.nodes)
    if not found.started:
        pytest.fail(f"no pod can start: {found.problem}\n{said}", pytrace=False)
    record_property(SEEN, said)


def test_devices(node: Node, found: Found, record_property: Record) -> None:
    """The network devices of the node."""
    record_property(SEEN, devices_text(_of(node, found)))


def test_wire(node: Node, found: Found, record_property: Record) -> None:
    """What is around packets between pods of two nodes, and how large they may be."""
    record_property(SEEN, wire_text(_of(node, found)))


def test_matrix(found: Found, record_property: Record) -> None:
    """Who reaches whom, and whose address the target sees."""
    record_property(SEEN, matrix_text(found))


def test_services(found: Found, record_property: Record) -> None:
    """ClusterIP, the API's ClusterIP, NodePort, hostPort and names."""
    record_property(SEEN, f"{services_text(found)}\n{names_text(found)}")
