"""From what firewall, kernel, clock, disk and labels of a node say to the cause in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from acceptance.cluster import ClusterNode
from acceptance.diagnosis import Finding, Subject, Topic, findings
from acceptance.expectations import Expectations, load_expectations
from acceptance.inventory import Inventory
from acceptance.machine_facts import DiskSpace, MachineFacts, parse_clock, parse_disk, parse_rp_filters
from acceptance.node_facts import Link, Netem, NodeFacts, parse_firewall

RECORDED = Path(__file__).parent / "recorded"
FILTER = (RECORDED / "filter.iptables").read_text()
GIB = 2**30


def _node(labels: Mapping[str, str]) -> ClusterNode:
    return ClusterNode("k8s-node2", True, "", "v1.24.10", "containerd://1.6.20", (), labels, {}, (), None)


@pytest.fixture
def subject(inventory: Inventory, macvlan: Expectations) -> Subject:
    """k8s-node2, of which nothing is known."""
    node = inventory.node("k8s-node2")
    facts = NodeFacts(node.name, (), (), {}, (), {}, {})
    return Subject(inventory, macvlan, node, facts, _node(node.labels), (), (), None)


def said(subject: Subject, topic: Topic, **facts: object) -> list[str]:
    changed = replace(subject, facts=replace(subject.facts, **facts))  # type: ignore[arg-type]
    return [found.text for found in findings(changed) if found.topic is topic]


def rule(*lines: str) -> tuple[object, ...]:
    """The recorded firewall with these rules before its own."""
    text = FILTER.replace("-A FORWARD -m comment", "\n".join(lines) + "\n-A FORWARD -m comment", 1)
    return (parse_firewall("legacy", text),)


@pytest.mark.parametrize(
    ("line", "packets"),
    [
        (
            "-A INPUT -s 172.31.7.102/32 -p udp -m udp --dport 8472 -j DROP",
            "UDP to port 8472 from k8s-node1 (172.31.7.102) in INPUT",
        ),
        ("-A INPUT -s 172.31.7.102/32 -p ipencap -j DROP", "IP in IP (protocol 4) from k8s-node1"),
        ("-A FORWARD -p udp -j DROP", "UDP in FORWARD"),
        ("-A FORWARD -m length --length 1000:65535 -j DROP", "packets of 1000 bytes and more in FORWARD"),
        ("-A FORWARD -m length --length 1000:1400 -j DROP", "packets of 1000 to 1400 bytes in FORWARD"),
        (
            "-A OUTPUT -d 10.200.0.0/16 -p tcp -j REJECT --reject-with tcp-reset",
            "TCP to 10.200.0.0/16 in OUTPUT",
        ),
        ("-A INPUT ! -s 172.31.0.0/21 -j DROP", "packets not from 172.31.0.0/21 in INPUT"),
        ("-A FORWARD -i eth1 -j DROP", "packets in FORWARD"),
    ],
)
def test_a_rule_that_drops_some_packets(subject: Subject, line: str, packets: str) -> None:
    (text,) = said(subject, Topic.FIREWALL, firewalls=rule(line))
    assert text.startswith(f"the firewall of k8s-node2 drops {packets}"), text
    assert text.endswith(f"(iptables-legacy, table filter: {line})")


def test_what_belongs_to_kubernetes_is_no_finding(subject: Subject) -> None:
    lines = (
        "-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -j DROP",
        "-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP",
        "-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP",
        "-A FORWARD -s 10.200.0.0/16 -j ACCEPT",
        "-A INPUT -m comment --comment KUBE -j KUBE-FIREWALL",
    )
    assert said(subject, Topic.FIREWALL, firewalls=rule(*lines)) == []


def test_a_rule_that_drops_everything_is_said_once(subject: Subject) -> None:
    firewalls = rule("-A FORWARD -j DROP")
    assert said(subject, Topic.FIREWALL, firewalls=firewalls) == []
    assert len(said(subject, Topic.FORWARDING, firewalls=firewalls)) == 1
    (everything,) = said(subject, Topic.FIREWALL, firewalls=rule("-A INPUT -j DROP"))
    assert everything.startswith("the firewall of k8s-node2 drops everything in INPUT")


@pytest.mark.parametrize(
    ("filters", "strict"), [("all 0\neth1 1\n", True), ("all 1\neth1 0\n", True), ("all 1\neth1 2\n", False)]
)
def test_strict_reverse_path_filter(subject: Subject, filters: str, strict: bool) -> None:
    found = said(subject, Topic.REVERSE_PATH, machine=MachineFacts(rp_filters=parse_rp_filters(filters)))
    assert [text.partition(":")[0] for text in found] == (
        ["net.ipv4.conf.eth1.rp_filter is 1 (strict) on k8s-node2"] if strict else []
    )


def test_the_filter_of_the_bridge_that_has_the_nodes_address(subject: Subject) -> None:
    bridge = replace(subject, expectations=load_expectations("bridge", {}))
    (text,) = said(bridge, Topic.REVERSE_PATH, machine=MachineFacts(rp_filters={"all": 0, "br-eth1": 1}))
    assert text.startswith("net.ipv4.conf.br-eth1.rp_filter is 1")


def test_a_clock_is_off_only_when_no_slowness_explains_it(subject: Subject) -> None:
    def clock(read: str, asked: tuple[float, float]) -> list[str]:
        return said(subject, Topic.CLOCK, machine=MachineFacts(clock_off=parse_clock(read, asked)))

    assert clock("1000.25", (999.0, 1001.0)) == []
    assert clock("960.0", (950.0, 1090.0)) == []
    assert clock("1045.0", (1000.0, 1040.0)) == []
    assert clock("", (1000.0, 1001.0)) == []
    assert clock("1000.0", (4599.0, 4604.0)) == [
        "the clock of k8s-node2 is 3599 s or more behind this machine's"
    ]
    assert clock("4604.0", (1000.0, 1004.0)) == [
        "the clock of k8s-node2 is 3600 s or more ahead of this machine's"
    ]


def test_a_full_disk(subject: Subject) -> None:
    assert parse_disk("") is None
    assert parse_disk("18000000000 21000000000\n") == DiskSpace(18000000000, 21000000000)
    assert said(subject, Topic.DISK, machine=MachineFacts(DiskSpace(GIB, 20 * GIB))) == []
    assert said(subject, Topic.DISK, machine=MachineFacts(DiskSpace(GIB // 100, 20 * GIB))) == [
        "the disk of k8s-node2 is full: 0.01 of 20.0 GiB are free at /"
    ]


def test_a_nic_with_an_mtu_that_its_network_does_not_carry(subject: Subject) -> None:
    links = (
        Link("eth0", 2, "", 1500, True, None, None, ()),
        Link("eth1", 3, "", 1600, True, None, None, ()),
    )
    assert said(subject, Topic.NICS, links=links) == [
        "eth1 on k8s-node2 has MTU 1600, its network underlay carries 1500"
    ]


def test_a_label_that_is_missing(subject: Subject) -> None:
    node = subject.node.model_copy(update={"labels": {"network": "underlay-nethost", "zone": "a"}})
    labelled = replace(subject, node=node)
    seen = _node({"network": "other", "zone": "a"})
    assert said(replace(labelled, cluster_node=seen), Topic.LABELS) == [
        "k8s-node2 lacks the label network=underlay-nethost that the topology gives it"
    ]
    assert said(replace(labelled, cluster_node=None), Topic.LABELS) == []


def test_all_is_told_by_node_and_topic(subject: Subject) -> None:
    facts = replace(subject.facts, machine=MachineFacts(DiskSpace(0, GIB)))
    assert findings(replace(subject, facts=facts))[0] == Finding(
        "k8s-node2", Topic.DISK, "the disk of k8s-node2 is full: 0.00 of 1.0 GiB are free at /"
    )


def test_a_device_that_loses_packets_on_purpose(subject: Subject) -> None:
    assert said(subject, Topic.QUEUES) == []
    assert said(subject, Topic.QUEUES, netems=(Netem("eth1", 0.1), Netem("eth0", 0))) == [
        "eth1 on k8s-node2 loses 10 % of what it sends: netem is its queueing discipline."
        " `tc qdisc delete dev eth1 root` there",
        "eth0 on k8s-node2 disturbs packets: netem is its queueing discipline."
        " `tc qdisc delete dev eth0 root` there",
    ]
