"""What packets pass on the nodes: a mode must not work by accident of another one."""

from __future__ import annotations

import pytest

from acceptance.diagnosis import Topic
from acceptance.evidence import Evidence
from acceptance.inventory import Node
from acceptance.node_facts import NodeFacts


def test_node(node: Node, topic: Topic, evidence: Evidence) -> None:
    """What a node tells of itself, by topic, is as the mode and the topology say."""
    facts = evidence.facts.get(node.name)
    if not isinstance(facts, NodeFacts):
        pytest.fail(f"{node.name} cannot be asked: {facts}", pytrace=False)
    wrong = [finding.text for finding in evidence.findings[node.name] if finding.topic is topic]
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)
