"""From the evidence to what is wrong on its nodes."""

from __future__ import annotations

from dataclasses import replace

from acceptance.diagnosis import Finding, Subject, Topic, findings
from acceptance.evidence import Evidence, placed_pods
from acceptance.expectations import UNKNOWN
from acceptance.inventory import Node
from acceptance.node_facts import NodeFacts
from acceptance.problems import Problem

SET_RIGHT = (Topic.FORWARDING, Topic.REVERSE_PATH)
"""What the CNI plugins of some modes set right whenever they start a pod."""


def findings_of(evidence: Evidence) -> dict[str, tuple[Finding, ...]]:
    """What is wrong on each node that could be asked, and what was before pods were started on it.

    Nothing, where nothing is known of the pod network.
    """
    if evidence.expectations.mode == UNKNOWN:
        return {}
    return {
        node.name: _with_first_look(findings(_subject(evidence, node, facts)), node, evidence)
        for node in evidence.inventory.nodes
        if isinstance(facts := evidence.facts.get(node.name), NodeFacts)
    }


def _with_first_look(found: tuple[Finding, ...], node: Node, evidence: Evidence) -> tuple[Finding, ...]:
    facts = evidence.first_look.get(node.name)
    if not isinstance(facts, NodeFacts):
        return found
    earlier = [
        replace(each, text=f"{each.text}. So it was until a pod was started there")
        for each in findings(_subject(evidence, node, facts))
        if each.topic in SET_RIGHT and each not in found
    ]
    return (*found, *earlier)


def _subject(evidence: Evidence, node: Node, facts: NodeFacts) -> Subject:
    nodes, pods, service = evidence.cluster_nodes, evidence.all_pods, evidence.service
    return Subject(
        evidence.inventory,
        evidence.expectations,
        node,
        facts,
        None if isinstance(nodes, Problem) else nodes.get(node.name),
        () if isinstance(pods, Problem) else [pod for pod in pods if pod.namespace == "kube-system"],
        placed_pods(evidence),
        None if isinstance(service, Problem) else service.fresh,
    )
