"""kube-proxy in all its modes: what nodes say of it, and what the suite makes of that."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

import pytest

from acceptance.diagnosis import FreshService, Subject
from acceptance.diagnosis.proxy import kube_proxy
from acceptance.expectations import FOLDER, Expectations, ServiceWay, load_expectations
from acceptance.inventory import Inventory, parse_inventory
from acceptance.node_facts import Firewall, Link, NodeFacts, Process
from acceptance.service_facts import (
    ServiceFacts,
    VirtualServer,
    parse_nft_addresses,
    parse_virtual_servers,
)

IP_VS = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A600001:01BB rr 
  -> AC1F0765:192B      Masq    1      2          0         
UDP  0A60000A:0035 rr 
  -> 0AC80002:0035      Masq    0      0          0         
  -> 0AC80103:0035      Masq    1      0          0         
TCP  AC1F0766:7918 rr 
"""  # noqa: W291
NFT = """\
table ip kube-proxy {
        map service-ips {
                type ipv4_addr . inet_proto . inet_service : verdict
                comment "ClusterIP, ExternalIP and LoadBalancer IP traffic"
                elements = { 10.96.0.10 . tcp . 53 : goto service-ZKSXYBEJ-kube-system/kube-dns/tcp/dns-tcp,
                             10.96.0.1 . tcp . 443 : goto service-2QRHZV4L-default/kubernetes/tcp/https }
        }
        map no-endpoint-services {
                type ipv4_addr . inet_proto . inet_service : verdict
                elements = { 10.96.33.44 . udp . 81 : goto reject-chain }
        }
        map service-nodeports {
                elements = { tcp . 30999 : goto external-X }
        }
        chain masquerading {
                ip daddr 10.1.2.3 tcp dport 80 accept
        }
}
"""
FRESH = FreshService("lab-acceptance/backend", IPv4Address("10.96.33.44"))
RUNNING = (Process(7, "kube-proxy", "S"),)
JUMPS = Firewall("legacy", {}, ("nat -A PREROUTING -j KUBE-SERVICES",))
API = VirtualServer("tcp", IPv4Address("10.96.0.1"), 443, (IPv4Address("172.31.7.101"),))
NEW = VirtualServer("tcp", FRESH.cluster_ip, 80)
BOTH = ("10.96.0.1/32", "10.96.33.44/32")


def dummy(*addresses: str) -> Link:
    return Link("kube-ipvs0", 9, "dummy", 1500, False, None, None, tuple(map(IPv4Interface, addresses)))


def facts(
    services: ServiceFacts, *links: Link, firewall: Firewall = JUMPS, processes: tuple[Process, ...] = RUNNING
) -> NodeFacts:
    return NodeFacts("k8s-node1", links, (firewall,), {}, processes, {}, {}, services=services)


def subject(inventory: Inventory, flannel: Expectations, way: str, seen: NodeFacts) -> Subject:
    kubernetes = inventory.kubernetes.model_copy(update={"kube_proxy": way})
    lab = inventory.model_copy(update={"kubernetes": kubernetes})
    return Subject(lab, flannel, lab.node("k8s-node1"), seen, None, (), (), FRESH)


def test_virtual_servers_with_those_that_get_new_connections() -> None:
    assert parse_virtual_servers(IP_VS) == (
        API,
        VirtualServer("udp", IPv4Address("10.96.0.10"), 53, (IPv4Address("10.200.1.3"),)),
        VirtualServer("tcp", IPv4Address("172.31.7.102"), 31000),
    )
    assert parse_virtual_servers("") == ()


def test_services_in_nftables() -> None:
    assert parse_nft_addresses(NFT) == frozenset(map(IPv4Address, ("10.96.0.10", "10.96.0.1", "10.96.33.44")))


@pytest.mark.parametrize(
    ("way", "seen"),
    [
        ("ipvs", facts(ServiceFacts((API, NEW)), dummy(*BOTH))),
        ("nftables", facts(ServiceFacts(nft_addresses=frozenset({FRESH.cluster_ip})))),
        ("none", facts(ServiceFacts(), processes=())),
    ],
)
def test_a_healthy_node(way: str, seen: NodeFacts, inventory: Inventory, flannel: Expectations) -> None:
    assert kube_proxy(subject(inventory, flannel, way, seen)) == []


@pytest.mark.parametrize(
    ("way", "seen", "said"),
    [
        ("ipvs", facts(ServiceFacts((API,)), dummy(*BOTH)), "is no virtual server of its IPVS"),
        ("ipvs", facts(ServiceFacts((API, NEW)), dummy("10.96.0.1/32")), "is not on its kube-ipvs0"),
        ("ipvs", facts(ServiceFacts((API, NEW))), "has no device kube-ipvs0"),
        ("ipvs", facts(ServiceFacts(), dummy(*BOTH)), "there are no virtual servers of IPVS"),
        (
            "ipvs",
            facts(
                ServiceFacts(),
                firewall=Firewall("legacy", {}, (*JUMPS.rules, "nat -A KUBE-SERVICES -j KUBE-SVC-A")),
            ),
            "uses iptables, expected ipvs",
        ),
        (
            "ipvs",
            facts(ServiceFacts((API, NEW)), dummy(*BOTH), firewall=Firewall("legacy", {}, ())),
            "no chain KUBE-SERVICES",
        ),
        ("iptables", facts(ServiceFacts((API, NEW)), dummy(*BOTH)), "expected iptables"),
        ("nftables", facts(ServiceFacts()), "no Service in nftables' table kube-proxy"),
        (
            "nftables",
            facts(ServiceFacts(nft_addresses=frozenset({API.address}))),
            "made for this check, is not in its nftables",
        ),
        ("nftables", facts(ServiceFacts(), processes=()), "kube-proxy is not running on k8s-node1"),
        ("none", facts(ServiceFacts()), "the lab is to have none"),
    ],
)
def test_what_is_wrong(
    way: str, seen: NodeFacts, said: str, inventory: Inventory, flannel: Expectations
) -> None:
    assert any(said in text for text in kube_proxy(subject(inventory, flannel, way, seen)))


def test_a_cluster_ip_on_kube_ipvs0_is_no_address_of_the_node() -> None:
    own = Link("eth1", 3, "", 1500, True, None, None, (IPv4Interface("172.31.7.102/21"),))
    assert facts(ServiceFacts(), own, dummy(*BOTH)).addresses == {IPv4Address("172.31.7.102")}


def test_an_inventory_that_says_nothing_means_iptables(inventory_json: dict[str, object]) -> None:
    assert parse_inventory(json.dumps(inventory_json), "x").conditions["kube_proxy"] == "iptables"


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.stem)
def test_without_kube_proxy_no_service_answers_in_any_mode(file: Path) -> None:
    usual, without = (load_expectations(file.stem, {"kube_proxy": each}) for each in ("iptables", "none"))
    assert {way for way, reach in without.services.items() if reach.answers} <= {
        ServiceWay.LAN_HOST_TO_HOSTPORT
    }
    assert without.reach == usual.reach
    assert replace_services(without, usual) == usual


def replace_services(without: Expectations, usual: Expectations) -> Expectations:
    further = tuple(replace_services(*both) for both in zip(without.further, usual.further, strict=True))
    return without.model_copy(update={"services": usual.services, "wire": usual.wire, "further": further})


def test_ipvs_sends_on_as_a_router_where_a_bridge_cannot() -> None:
    way = ServiceWay.LAN_HOST_TO_NODEPORT_ELSEWHERE
    answers = [
        load_expectations("bridge", {"kube_proxy": each}).services[way].answers
        for each in ("iptables", "ipvs")
    ]
    assert answers == [False, True]
