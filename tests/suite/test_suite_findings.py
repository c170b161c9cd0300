"""What is wrong on the nodes, seen before and after pods were started there."""

from __future__ import annotations

from dataclasses import replace

from acceptance.evidence import Evidence
from acceptance.findings import findings_of
from acceptance.node_facts import NodeFacts

NODE1 = "k8s-node1"


def test_what_starting_a_pod_set_right_is_told_all_the_same(healthy: Evidence) -> None:
    off = NodeFacts(NODE1, (), (), {"net.ipv4.ip_forward": "0"}, (), {}, {})
    before = [finding.text for finding in findings_of(healthy)[NODE1]]
    found = [finding.text for finding in findings_of(replace(healthy, first_look={NODE1: off}))[NODE1]]
    assert [text for text in found if text not in before] == [
        f"net.ipv4.ip_forward is 0 on {NODE1}: the node does not pass packets on."
        " So it was until a pod was started there"
    ]
    lasting = replace(healthy, facts={NODE1: off}, first_look={NODE1: off})
    assert sum("ip_forward" in finding.text for finding in findings_of(lasting)[NODE1]) == 1
