"""A lab comes up, and once up there is nothing to do."""

from __future__ import annotations

import json
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.real_lab.lab_under_test import TOPOLOGY, Lab, folder_of, opened_by_vagrants_key, vagrant_states

pytestmark = pytest.mark.real_lab


LISTENERS = 4000
LISTENERS_COME_AND_GO = f"""
use strict; use Socket;
for (1..{LISTENERS}) {{
    socket(my $socket, AF_INET, SOCK_DGRAM, 0) or die "socket: $!";
    setsockopt($socket, SOL_SOCKET, 29, pack("i", 1)) or die "SO_TIMESTAMP: $!";
    select(undef, undef, undef, 0.002);
    close $socket;
    select(undef, undef, undef, 0.002);
}}
print "all done";
"""
"""As tcpdump and ping do: each wants the time stamps of packets, for which Linux may change its code."""


def nodes(lab: Lab) -> dict[str, str]:
    """Condition by node name."""
    return {node["name"]: node["condition"] for node in json.loads(lab("status", "--json"))["nodes"]}


def test_up_ends_with_three_ready_nodes(lab: Lab) -> None:
    lab("up", "--topology", TOPOLOGY, "--mode", "macvlan")
    assert nodes(lab) == {"k8s-master1": "Ready", "k8s-node1": "Ready", "k8s-node2": "Ready"}


def test_a_second_up_has_nothing_to_do(lab: Lab) -> None:
    assert "Nothing to do" in lab("up", "--topology", TOPOLOGY, "--mode", "macvlan")


def test_vagrant_knows_the_nodes_from_a_plain_shell(lab: Lab) -> None:
    assert vagrant_states(lab) == dict.fromkeys(nodes(lab), "running")


def test_the_key_that_vagrant_publishes_opens_no_node(lab: Lab, tmp_path: Path) -> None:
    assert opened_by_vagrants_key(lab, tmp_path) == []
    words = ["vagrant", "ssh", "k8s-node1", "--", "hostname"]
    done = subprocess.run(words, cwd=folder_of(lab), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "k8s-node1"


def test_commands_reach_nodes_and_cluster(lab: Lab) -> None:
    assert lab("exec", "k8s-node1", "--", "hostname").strip() == "k8s-node1"
    assert lab("ssh", "k8s-node2", "echo $((40 + 2))").strip() == "42"
    assert lab("kubectl", "get", "nodes", "-o", "name").split() == [
        "node/k8s-master1",
        "node/k8s-node1",
        "node/k8s-node2",
    ]


def test_programs_of_the_host_reach_the_cluster(lab: Lab) -> None:
    kubectl = [str(folder_of(lab) / "bin" / "kubectl"), "--kubeconfig", lab("kubeconfig", "--host").strip()]
    listed = subprocess.run(
        [*kubectl, "get", "nodes", "-o", "name"], capture_output=True, text=True, check=True
    )
    assert listed.stdout.split() == [f"node/{name}" for name in nodes(lab)]
    said = lab("forward", "--background", "0:svc/kube-system/kube-dns:9153")
    listen = said.partition(" ")[0]
    with urlopen(f"http://{listen}/metrics", timeout=60) as page:
        assert b"coredns_build_info" in page.read()
    lab("forward", "--stop")
    assert json.loads(lab("status", "--json"))["forwards"] == []


def test_nodes_and_pods_reach_this_host_only_while_they_may(lab: Lab) -> None:
    """A server at its loopback stands for all that is outside."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        lab("outside", "open", "--network", "uplink", "--network", "underlay", "--allow-host")
        address = json.loads(lab("outside", "status", "--json"))["host_address"]
        target = f"{address}:{server.getsockname()[1]}"
        connect = (
            f"timeout 20 bash -c ': < /dev/tcp/{target.replace(':', '/')}' && echo there || echo not there"
        )
        assert lab("exec", "k8s-node1", "--", "sh", "-c", connect).strip() == "there"
        image = json.loads(lab("inventory", "--json"))["probe_image"]
        lab("kubectl", "run", "visitor", "--image", image, "--restart=Never", "--", "connect", target)
        try:
            phase = "jsonpath={.status.phase}=Succeeded"
            lab("kubectl", "wait", "pod/visitor", "--for", phase, "--timeout=300s")
        finally:
            lab("kubectl", "delete", "pod", "visitor")
        lab("outside", "open")
        assert lab("exec", "k8s-node1", "--", "sh", "-c", connect).strip() == "not there"
        lab("outside", "close")
        assert lab("exec", "k8s-node1", "--", "sh", "-c", connect).strip() == "not there"


def test_a_paused_lab_goes_on(lab: Lab) -> None:
    lab("pause")
    assert json.loads(lab("status", "--json"))["state"] == "paused"
    lab("resume")
    assert json.loads(lab("status", "--json"))["state"] == "up"


def test_who_wants_time_stamps_may_come_and_go_while_packets_arrive(lab: Lab) -> None:
    name, address = "k8s-master1", "172.31.7.101"
    flood = ("ping", "-q", "-i", "0.002", "-w", "40", address)
    with ThreadPoolExecutor() as pool:
        floods = [pool.submit(lab, "exec", node, "--", *flood) for node in ("k8s-node1", "k8s-node2")]
        said = lab("exec", name, "--", "timeout", "120", "perl", "-e", LISTENERS_COME_AND_GO)
        assert all(" 0 received" not in each.result() for each in floods)
    assert said.strip() == "all done"
