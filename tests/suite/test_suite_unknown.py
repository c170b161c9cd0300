"""The suite where nothing is known of the pod network: what it tells, and that it judges nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from xml.etree import ElementTree

import pytest

import acceptance
from acceptance.evidence import Evidence
from acceptance.expectations import load_expectations
from acceptance.findings import findings_of
from acceptance.found import Found, found_in
from acceptance.found_text import devices_text, matrix_text, services_text, whole_report, wire_text
from acceptance.frames import Frame, Packet, Tunnel
from acceptance.inventory import Inventory
from acceptance.matrix import Endpoint, EndpointKind
from acceptance.node_facts import Link, NodeFacts
from acceptance.probes import Answer
from acceptance.problems import Problem
from acceptance.questions import service_questions
from acceptance.watched import nic_below, watched_device, with_seen_mtu
from acceptance.wire import Crossing, WireSight
from tests.supply.stand_ins import own_network

SUITE = Path(acceptance.__file__).parent
NODE1, NODE2 = "k8s-node1", "k8s-node2"


def link(name: str, kind: str, index: int, under: str | int | None = None, **more: object) -> Link:
    plain = Link(name, index, kind, 1450 if kind else 1500, True, under, None, ())
    return replace(plain, **more)  # type: ignore[arg-type]


@pytest.fixture
def evidence(healthy: Evidence) -> Evidence:
    """A VXLAN over eth0, which is not the NIC on the underlay."""
    unknown = load_expectations("unknown", {"kube_proxy": "none"})
    there = {endpoint: address.ip for endpoint, address in healthy.addresses.items()}
    pods = {pod.name: pod for pod in healthy.pods.values()}
    facts = {
        node.name: NodeFacts(
            node.name,
            (
                link("lo", "", 1),
                link("eth0", "", 2, mac=f"aa:{node.name}", addresses=(IPv4Interface("192.168.31.7/24"),)),
                link("eth1", "", 3),
                link("tun0", "vxlan", 4, "eth0", vni=7, port=8472),
                *(link(f"veth{pod}", "veth", pod, master="br0") for pod in (5, 6)),
            ),
            (),
            {},
            (),
            {
                ip: "tun0"
                for endpoint, ip in there.items()
                if endpoint.kind is EndpointKind.POD and endpoint.node != node.name
            },
            {
                name: (link("eth0", "veth", 2, 5, mac="02:pod"),)
                for name, pod in pods.items()
                if pod.node == node.name
            },
        )
        for node in healthy.inventory.nodes
    }
    return replace(healthy, expectations=unknown, facts=facts)


def pod(evidence: Evidence, node: str) -> IPv4Address:
    return evidence.addresses[Endpoint(EndpointKind.POD, node)].ip


def ping(evidence: Evidence, around: Tunnel | None) -> Frame:
    inner = Packet(pod(evidence, NODE1), pod(evidence, NODE2), 1, "ICMP echo-request", 1450)
    nic = evidence.inventory.nic(evidence.inventory.node(NODE1), "underlay")
    assert nic is not None
    if around is None:
        return Frame("02:pod", "aa", inner)
    outer = Packet(IPv4Address("1.1.1.1"), IPv4Address("1.1.1.2"), 17, "UDP", 1500, (4, 8472), around, inner)
    return Frame(nic.mac, "aa", outer)


def seen_on_node1(evidence: Evidence, *frames: Frame, fits: bool = True) -> Found:
    sight = WireSight((Crossing(NODE2, fits, False),), frames)
    return found_in(replace(with_seen_mtu(evidence), wire={(NODE1, ""): sight}))


def text_of_node1(found: Found) -> str:
    return wire_text(next(node for node in found.nodes if node.name == NODE1))


def test_the_nic_is_watched_that_the_routes_to_the_pods_end_at(evidence: Evidence, healthy: Evidence) -> None:
    node, targets = evidence.inventory.node(NODE1), [pod(evidence, NODE2)]
    wire = evidence.expectations.wire
    assert wire is not None
    assert watched_device(evidence, node, wire, targets) == "eth0"
    assert watched_device(replace(evidence, facts={}), node, wire, targets) == "eth1"
    macvlan = healthy.expectations.wire
    assert macvlan is not None
    assert watched_device(evidence, node, macvlan, targets) == "eth1"


def test_a_tunnel_without_a_device_below_leaves_by_its_own_address(evidence: Evidence) -> None:
    facts = evidence.facts[NODE1]
    assert isinstance(facts, NodeFacts)
    tunnel = link("tunl0", "ipip", 9, local=IPv4Address("192.168.31.7"))
    assert nic_below(replace(facts, links=(*facts.links, tunnel)), "tunl0") == "eth0"
    assert nic_below(replace(facts, links=(*facts.links, replace(tunnel, local=None))), "tunl0") is None
    assert nic_below(facts, "none") is None


def test_pings_are_as_large_as_the_pods_own_devices_allow(evidence: Evidence, healthy: Evidence) -> None:
    assert with_seen_mtu(evidence).expectations.pods.mtu == 1450
    assert with_seen_mtu(healthy) is healthy


def test_devices_are_told_and_those_of_pods_are_counted(evidence: Evidence) -> None:
    node = found_in(evidence).nodes[0]
    assert devices_text(node).splitlines() == [
        "eth0: NIC, MTU 1500, 192.168.31.7/24",
        "eth1: NIC, MTU 1500",
        "tun0: vxlan (VNI 7, UDP 8472), over eth0, MTU 1450",
        "2 x veth, MTU 1450, in br0",
    ]


def test_what_is_around_a_packet_is_told_with_whose_mac_and_what_size(evidence: Evidence) -> None:
    found = seen_on_node1(evidence, ping(evidence, Tunnel.VXLAN))
    assert text_of_node1(found).splitlines() == [
        "on eth0, around packets from pod to pod: vxlan to UDP port 8472",
        "MAC addresses of the senders: node",
        f"to the pod of {NODE2}: a packet of 1450 bytes comes through, one of 1451 does not come through",
    ]
    plain = text_of_node1(seen_on_node1(evidence, ping(evidence, None), fits=False))
    assert "around packets from pod to pod: nothing" in plain
    assert "senders: pod" in plain
    assert "1450 bytes does not come through" in plain


def test_a_tunnel_that_cannot_be_looked_into_is_guessed(evidence: Evidence) -> None:
    first, second = (node.internal_address for node in evidence.inventory.nodes[:2])
    sealed = Frame("a", "b", Packet(first, second, 17, "UDP 1 to 51820", 1480, (1, 51820)))
    tcp = Frame("a", "b", Packet(first, second, 6, "TCP 1 to 10250", 60, (1, 10250)))
    said = text_of_node1(seen_on_node1(evidence, sealed, tcp))
    assert (
        "no packet from pod to pod was seen; between nodes there passed UDP to port 51820 (WireGuard?)"
        in said
    )
    assert "10250" not in said


def test_the_matrix_tells_who_reaches_whom_and_as_whom(evidence: Evidence) -> None:
    sender = Endpoint(EndpointKind.POD, NODE1)
    silent = {
        key: Answer.silence("i/o timeout") if key[0] == sender and key[1].endswith("lan-host:udp") else answer
        for key, answer in evidence.answers.items()
    }
    refused = {(sender, "pod.k8s-node2:tcp"): Answer.unasked("ssh failed")}
    text = matrix_text(found_in(replace(evidence, answers={**silent, **refused})))
    row = next(line for line in text.splitlines() if line.startswith("pod.k8s-node1 "))
    assert "yes ping tcp, no udp, from pod" in row
    assert "yes ping udp, not asked tcp, from pod" in row
    assert "yes pod" in row
    nobody = {key: Answer.silence() for key in evidence.answers}
    assert "yes" not in matrix_text(found_in(replace(evidence, answers=nobody)))


def test_services_are_counted_and_silence_is_told_by_name(evidence: Evidence) -> None:
    assert not isinstance(evidence.service, Problem)
    questions = service_questions(evidence.inventory, evidence.expectations, evidence.service)
    answers = {(each.sender, each.probe.key): Answer.heard("backend") for each in questions}
    silent = next(each for each in questions if each.probe.key == "api")
    answers[silent.sender, silent.probe.key] = Answer.silence("Connection timed out")
    names = {Endpoint(EndpointKind.POD, NODE1): Problem("no resolver")}
    found = found_in(replace(evidence, questions=questions, answers=answers, names=names))
    lines = services_text(found).splitlines()
    nodes = len(evidence.inventory.nodes)
    assert f"pod-to-api: {nodes - 1} of {nodes} answered" in lines
    assert f"  {silent.sender} to {silent.about}: no answer: Connection timed out" in lines
    assert f"node-to-api: {nodes} of {nodes} answered" in lines
    assert "the headless Service's name in pod.k8s-node1: no resolver" in whole_report(found)


def test_programs_read_the_same(evidence: Evidence) -> None:
    told = json.loads(seen_on_node1(evidence, ping(evidence, Tunnel.IPIP)).as_json())
    by_name = {node["name"]: node for node in told["nodes"]}
    assert by_name[NODE1]["wire"]["around"] == ["ipip to UDP port 8472"]
    assert by_name[NODE2]["wire"]["problem"] == "its pod did not run, so nothing was sent"
    cell = next(
        each
        for each in told["matrix"]
        if (each["sender"], each["target"]) == (f"pod.{NODE1}", f"pod.{NODE2}")
    )
    assert cell["answers"]["tcp"]["answered"] is True
    assert cell["answers"]["tcp"]["source"] == "pod"


def test_nothing_is_found_wrong(evidence: Evidence) -> None:
    assert findings_of(evidence) == {}


def test_pods_that_did_not_start_are_told_with_the_reason(evidence: Evidence) -> None:
    stuck = Problem("pod probe-k8s-node1 on k8s-node1 is not Running: ContainerCreating")
    pods = {role: each for role, each in evidence.pods.items() if each.node != NODE1}
    roles = set(evidence.pods) - set(pods)
    some = found_in(replace(evidence, pods=pods, pod_problems=dict.fromkeys(roles, stuck)))
    assert 0 < some.started < len(evidence.pods)
    assert str(stuck) in whole_report(some)
    none = found_in(replace(evidence, pods={}, pod_problems=dict.fromkeys(evidence.pods, stuck)))
    assert none.started == 0


def _run(inventory: Mapping[str, object], folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    file = folder / "inventory.json"
    file.write_text(json.dumps(inventory))
    command = [sys.executable, "-m", "pytest", str(SUITE), "--nodes", str(file), "--mode", "unknown", *words]
    return subprocess.run(command, env=os.environ, capture_output=True, text=True, timeout=300, check=False)


def test_a_cluster_on_which_no_pod_starts_fails_and_what_needs_expectations_is_not_run(
    tmp_path: Path, inventory_json: dict[str, object], inventory: Inventory
) -> None:
    nowhere = {"network_namespace": None, "lan_host": None, "kubeconfig": "/none", "ssh_config": "/none"}
    report, found = tmp_path / "report.xml", tmp_path / "found.json"
    words = (f"--junitxml={report}", f"--found={found}", "--keep", "-p", "no:cacheprovider")
    with own_network():
        done = _run({**inventory_json, **nowhere}, tmp_path, *words)
    assert done.returncode == 1, done.stdout
    outcomes: dict[str, set[str]] = {}
    for case in ElementTree.fromstring(report.read_text()).iter("testcase"):  # noqa: S314
        ends = [kind for kind in ("failure", "skipped", "error") if case.find(kind) is not None]
        function = case.get("name", "").partition("[")[0]
        outcomes.setdefault(f"{case.get('classname')}.{function}", set()).update(ends or ["passed"])
    own = {name: ends for name, ends in outcomes.items() if name.startswith("acceptance.test_found.")}
    assert own.pop("acceptance.test_found.test_pods_start") == {"failure"}
    assert set.union(*own.values()) == {"passed"}
    others = [ends for name, ends in outcomes.items() if not name.startswith("acceptance.test_found.")]
    assert set.union(*others) == {"skipped"}
    assert "no pod can start" in done.stdout
    assert [node["name"] for node in json.loads(found.read_text())["nodes"]] == [
        node.name for node in inventory.nodes
    ]


def test_expectations_of_ones_own_and_none_exclude_each_other(
    tmp_path: Path, inventory_json: dict[str, object]
) -> None:
    own = {**inventory_json, "network_namespace": None}
    done = _run(own, tmp_path, "--expect", str(tmp_path / "x.yaml"))
    assert done.returncode != 0
    assert "exclude each other" in done.stderr
