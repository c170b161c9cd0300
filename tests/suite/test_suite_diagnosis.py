"""From what a node says to the cause in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from acceptance.cluster import ClusterNode, ClusterPod
from acceptance.diagnosis import (
    Finding,
    FreshService,
    PlacedPod,
    Subject,
    Topic,
    cluster_causes,
    findings,
)
from acceptance.expectations import Expectations, load_expectations
from acceptance.inventory import Inventory
from acceptance.node_facts import (
    NodeFacts,
    parse_facts,
    parse_firewall,
    parse_links,
    parse_processes,
    parse_routes,
)
from acceptance.problems import Problem
from acceptance.shell import Output

RECORDED = Path(__file__).parent / "recorded"
SERVICE = FreshService("lab-acceptance/backend", IPv4Address("10.96.33.44"))
FLANNEL_PODS = (
    PlacedPod("probe-k8s-node1", "k8s-node1", IPv4Address("10.200.1.5")),
    PlacedPod("probe-k8s-node2", "k8s-node2", IPv4Address("10.200.2.6")),
)
MACVLAN_PODS = (
    PlacedPod("probe-k8s-node1", "k8s-node1", IPv4Address("172.31.6.85")),
    PlacedPod("probe-k8s-node2", "k8s-node2", IPv4Address("172.31.6.169")),
)
FILTER = (RECORDED / "filter.iptables").read_text()
NAT = (RECORDED / "nat.iptables").read_text()
PROCESSES = """1 (systemd) S 0 1 1 0
612 (containerd) S 1 612 612 0
701 (kubelet) S 1 701 701 0
1401 (kube-proxy) S 1380 1401 1401 0
1402 (lab-flanneld) S 1380 1401 1401 0
1404 (calico-node) S 1380 1401 1401 0
1403 (hybridnet-daemo) S 1380 1401 1401 0
1500 (tricky ) name) S 1 1 1 0
"""


def _link(name: str, index: int, kind: str = "", **more: Any) -> dict[str, Any]:
    addresses = [
        {"family": "inet", "local": address.split("/")[0], "prefixlen": int(address.split("/")[1])}
        for address in more.pop("addresses", [])
    ]
    info = {"linkinfo": {"info_kind": kind, "info_data": more.pop("data", {})}} if kind else {}
    return {
        "ifname": name,
        "ifindex": index,
        "mtu": 1500,
        "flags": ["UP"],
        "addr_info": addresses,
        **info,
        **more,
    }


NICS = [
    _link("lo", 1, addresses=["127.0.0.1/8"]),
    _link("eth0", 2, addresses=["192.168.31.102/24"]),
    _link("eth1", 3, addresses=["172.31.7.102/21"]),
]


def _vxlan(nic: str, local: str, **more: Any) -> dict[str, Any]:
    data = {"id": 1, "link": nic, "local": local, "port": 8472}
    return _link("flannel.1", 5, "vxlan", data=data, **{"mtu": 1450, "addresses": ["10.200.1.0/32"], **more})


RULES = [
    {"priority": 0, "src": "all", "table": "local"},
    {"priority": 1, "src": "all", "table": "39999"},
    {"priority": 2, "src": "all", "table": "40000"},
    {"priority": 32766, "src": "all", "table": "main"},
]
PROXY_ARP = """10.200.0.5 dev eth1.vxlan4 proxy
172.31.6.5 dev eth1 proxy
172.31.6.5 dev eth1.vxlan4 proxy
"""
BGP = """0      0       172.31.7.102:179     172.31.7.101:35011
0      0       172.31.7.102:40033   172.31.7.103:179
"""
RP_FILTERS = """all 0
default 0
eth0 0
eth1 2
"""
CNI0 = _link("cni0", 6, "bridge", mtu=1450, addresses=["10.200.1.1/24"])
POD_VETH = [_link("eth0", 2, "veth", mtu=1450, link_index=7)]
SHIM = _link("shim", 5, "macvlan", link="eth1", addresses=["172.31.7.102/32"])
POD_MACVLAN = [_link("eth0", 4, "macvlan", link_index=3)]


def _facts(
    links: list[dict[str, Any]],
    pod_links: list[dict[str, Any]],
    routes: str,
    *,
    legacy: str = FILTER + NAT,
    nft: str = "",
    processes: str = PROCESSES,
    forward: str = "1",
) -> NodeFacts:
    def said(text: str) -> Output:
        return Output(0, text, "")

    return parse_facts(
        "k8s-node1",
        {
            "links": said(json.dumps(links)),
            "iptables-legacy": said(legacy),
            "iptables-nft": said(nft),
            "rules": said(json.dumps(RULES)),
            "proxy-arp": said(PROXY_ARP),
            "booted": said("btime 1767268800"),
            "bgp": said(BGP),
            "queues": said('[{"kind": "noqueue", "dev": "lo", "root": true, "options": {}}]'),
            "default-routes": said('[{"dst": "default", "gateway": "192.168.31.1", "dev": "eth0"}]'),
            "rp-filters": said(RP_FILTERS),
            "disk": said("18000000000 21000000000\n"),
            "clock": said("1000.5\n"),
            "sysctls": said(f"net.ipv4.ip_forward={forward}\nnet.bridge.bridge-nf-call-iptables=1"),
            "processes": said(processes),
            "routes": said(routes),
            "pod-links probe-k8s-node1": said(json.dumps(pod_links)),
        },
        (1000.0, 1004.0),
    )


def _flannel_facts(nic: str = "eth1", local: str = "172.31.7.102", **changes: Any) -> NodeFacts:
    routes = (
        "10.200.1.5 10.200.1.5 dev cni0 src 10.200.1.1 uid 0\n"
        "10.200.2.6 10.200.2.6 via 10.200.2.0 dev flannel.1 src 10.200.1.0 uid 0\n"
    )
    links = changes.pop("links", [*NICS, _vxlan(nic, local), CNI0])
    return _facts(links, changes.pop("pod_links", POD_VETH), changes.pop("routes", routes), **changes)


def _macvlan_facts(**changes: Any) -> NodeFacts:
    routes = (
        "172.31.6.85 172.31.6.85 dev shim src 172.31.7.102 uid 0\n"
        "172.31.6.169 172.31.6.169 dev eth1 src 172.31.7.102 uid 0\n"
    )
    links = changes.pop("links", [*NICS, SHIM])
    return _facts(links, changes.pop("pod_links", POD_MACVLAN), changes.pop("routes", routes), **changes)


def _node(public_ip: str = "172.31.7.102") -> ClusterNode:
    return ClusterNode(
        "k8s-node1",
        True,
        "",
        "v1.24.10",
        "containerd://1.6.20",
        (IPv4Address("172.31.7.102"),),
        {},
        {"flannel.alpha.coreos.com/public-ip": public_ip},
        (),
        None,
    )


def _pod(name: str, node: str, *, ready: bool = True, labels: dict[str, str] | None = None) -> ClusterPod:
    state = "Running" if ready else "Pending (ContainerCreating)"
    return ClusterPod("kube-system", name, name, node, None, True, ready, ready, False, state, labels or {})


VXLAN4 = _link(
    "eth1.vxlan4",
    5,
    "vxlan",
    mtu=1450,
    data={"id": 4, "link": "eth1", "local": "172.31.7.102", "port": 8472},
)
HYBRIDNET_PODS = (
    PlacedPod("probe-overlay-k8s-node1", "k8s-node1", IPv4Address("10.200.0.5"), "overlay"),
    PlacedPod("probe-overlay-k8s-node2", "k8s-node2", IPv4Address("10.200.0.6"), "overlay"),
    PlacedPod("probe-underlay-k8s-node1", "k8s-node1", IPv4Address("172.31.6.5"), "underlay"),
    PlacedPod("probe-underlay-k8s-node2", "k8s-node2", IPv4Address("172.31.6.6"), "underlay"),
)
HYBRIDNET_ROUTES = """10.200.0.5 10.200.0.5 dev hybr1 table 39999 src 172.31.7.102
10.200.0.6 10.200.0.6 dev eth1.vxlan4 table 40000 src 172.31.7.102
172.31.6.5 172.31.6.5 dev hybr2 table 39999 src 172.31.7.102
172.31.6.6 172.31.6.6 dev eth1 src 172.31.7.102
"""


def _hybridnet_facts(routes: str = HYBRIDNET_ROUTES) -> NodeFacts:
    links = [*NICS, VXLAN4, _link("hybr1", 6, "veth"), _link("hybr2", 7, "veth")]
    return _facts(links, POD_VETH, routes)


CALICO_ROUTES = """10.200.10.66 10.200.10.66 dev cali1234 src 172.31.7.102
10.200.20.3 10.200.20.3 via 172.31.7.103 dev eth1 src 172.31.7.102
"""
CALICO_PODS = (
    PlacedPod("probe-k8s-node1", "k8s-node1", IPv4Address("10.200.10.66")),
    PlacedPod("probe-k8s-node2", "k8s-node2", IPv4Address("10.200.20.3")),
)


def _calico_facts() -> NodeFacts:
    return _facts([*NICS, _link("cali1234", 6, "veth")], POD_VETH, CALICO_ROUTES)


Diagnose = Callable[[NodeFacts], list[Finding]]


@pytest.fixture
def in_calico(inventory: Inventory) -> Subject:
    node = replace(_node(), annotations={"projectcalico.org/IPv4Address": "172.31.7.102/21"})
    expectations = load_expectations("calico-bgp", {})
    itself = inventory.node("k8s-node1")
    return Subject(inventory, expectations, itself, _calico_facts(), node, (), CALICO_PODS, SERVICE)


@pytest.fixture
def in_flannel(inventory: Inventory, flannel: Expectations) -> Subject:
    node = inventory.node("k8s-node1")
    return Subject(inventory, flannel, node, _flannel_facts(), _node(), (), FLANNEL_PODS, SERVICE)


@pytest.fixture
def in_macvlan(inventory: Inventory, macvlan: Expectations) -> Subject:
    node = inventory.node("k8s-node1")
    return Subject(inventory, macvlan, node, _macvlan_facts(), _node(), (), MACVLAN_PODS, SERVICE)


@pytest.fixture
def in_hybridnet(inventory: Inventory) -> Subject:
    node = inventory.node("k8s-node1")
    expectations = load_expectations("hybridnet", {})
    return Subject(inventory, expectations, node, _hybridnet_facts(), _node(), (), HYBRIDNET_PODS, SERVICE)


def _texts(subject: Subject, topic: Topic | None = None) -> list[str]:
    return [finding.text for finding in findings(subject) if topic in (None, finding.topic)]


def test_a_healthy_node_has_no_findings(
    in_flannel: Subject, in_macvlan: Subject, in_hybridnet: Subject
) -> None:
    assert findings(in_hybridnet) == ()
    assert findings(in_flannel) == ()
    assert findings(in_macvlan) == ()


def test_each_group_of_pods_has_its_own_routes(in_hybridnet: Subject) -> None:
    wrong = HYBRIDNET_ROUTES.replace(
        "172.31.6.6 172.31.6.6 dev eth1", "172.31.6.6 172.31.6.6 dev eth1.vxlan4"
    )
    assert _texts(replace(in_hybridnet, facts=_hybridnet_facts(wrong))) == [
        "k8s-node1 reaches pod probe-underlay-k8s-node2 (172.31.6.6) on k8s-node2 through eth1.vxlan4,"
        " expected eth1"
    ]


def _on_eth2(facts: NodeFacts) -> NodeFacts:
    """The same node with its underlay NIC called eth2."""

    def name(device: Any) -> Any:
        return device.replace("eth1", "eth2") if isinstance(device, str) else device

    return replace(
        facts,
        links=tuple(replace(link, name=name(link.name), under=name(link.under)) for link in facts.links),
        routes={address: name(device) for address, device in facts.routes.items()},
        proxy_arp=frozenset((address, name(device)) for address, device in facts.proxy_arp),
    )


def test_the_overlays_device_is_called_after_the_nodes_own_nic(in_hybridnet: Subject) -> None:
    nics = [nic.model_copy(update={"device": nic.device.replace("1", "2")}) for nic in in_hybridnet.node.nics]
    node = in_hybridnet.node.model_copy(update={"nics": tuple(nics)})
    other = replace(in_hybridnet, node=node, facts=_on_eth2(in_hybridnet.facts))
    assert findings(other) == ()
    said = _texts(replace(other, facts=in_hybridnet.facts))
    assert "k8s-node1 has no device eth2.vxlan4, which hybridnet makes" in said
    assert (
        "k8s-node1 reaches pod probe-overlay-k8s-node2 (10.200.0.6) on k8s-node2 through eth1.vxlan4,"
        " expected eth2.vxlan4"
    ) in said


def test_a_routing_table_or_proxy_arp_that_is_missing(in_hybridnet: Subject) -> None:
    proxied = frozenset({(IPv4Address("10.200.0.5"), "eth1")})
    facts = replace(_hybridnet_facts(), rule_tables=frozenset({40000}), proxy_arp=proxied)
    assert _texts(replace(in_hybridnet, facts=facts), Topic.ROUTES) == [
        "no routing rule of k8s-node1 leads to table 39999, which hybridnet makes",
        "k8s-node1 answers ARP for its pod probe-overlay-k8s-node1 (10.200.0.5) on eth1,"
        " expected eth1.vxlan4",
        "k8s-node1 answers ARP for its pod probe-underlay-k8s-node1 (172.31.6.5) on no device, expected eth1",
    ]


def test_flannel_on_the_wrong_nic(in_flannel: Subject) -> None:
    subject = replace(
        in_flannel, facts=_flannel_facts("eth0", "192.168.31.102"), cluster_node=_node("192.168.31.102")
    )
    assert _texts(subject, Topic.DEVICES) == [
        "flannel on k8s-node1 uses eth0 (192.168.31.102), expected eth1 (172.31.7.102)"
    ]
    assert _texts(subject, Topic.ANNOTATIONS) == [
        "flannel announces k8s-node1 to the other nodes as 192.168.31.102 on eth0,"
        " expected eth1 (172.31.7.102); the node's annotation flannel.alpha.coreos.com/public-ip says so"
    ]


def test_flannel_on_the_right_nic_with_the_wrong_address(in_flannel: Subject) -> None:
    subject = replace(in_flannel, facts=_flannel_facts("eth1", "192.168.31.102"))
    assert _texts(subject) == [
        "flannel on k8s-node1 uses eth1 (192.168.31.102), expected eth1 (172.31.7.102)"
    ]


def test_a_device_that_is_missing_or_wrong(in_flannel: Subject) -> None:
    wrong = _vxlan("eth1", "172.31.7.102", mtu=1500)
    wrong["linkinfo"]["info_data"].update(id=7, port=4789)
    subject = replace(in_flannel, facts=_flannel_facts(links=[*NICS, wrong]))
    assert _texts(subject, Topic.DEVICES) == [
        "flannel.1 on k8s-node1 has MTU 1500, expected 1450",
        "flannel.1 on k8s-node1 has VNI 7, expected 1",
        "flannel.1 on k8s-node1 uses UDP port 4789, expected 8472",
        "k8s-node1 has no device cni0, which the CNI bridge plugin makes",
    ]


@pytest.mark.parametrize("variant", ["legacy", "nft"])
def test_forward_policy_drop(in_flannel: Subject, variant: str) -> None:
    dropping = FILTER.replace(":FORWARD ACCEPT", ":FORWARD DROP")
    changes = {"legacy": dropping + NAT} if variant == "legacy" else {"nft": dropping}
    subject = replace(in_flannel, facts=_flannel_facts(**changes))
    (text,) = _texts(subject)
    assert text.startswith(f"FORWARD policy is DROP on k8s-node1 (iptables-{variant})")


@pytest.mark.parametrize(
    "rule", ["-A FORWARD -j DROP", "-A FORWARD -j REJECT --reject-with icmp-port-unreachable"]
)
def test_a_rule_that_drops_everything(in_flannel: Subject, rule: str) -> None:
    dropping = FILTER.replace("COMMIT", f"{rule}\nCOMMIT")
    subject = replace(in_flannel, facts=_flannel_facts(legacy=dropping + NAT))
    assert _texts(subject) == [f"a rule drops everything in FORWARD on k8s-node1: {rule}"]


def test_no_forwarding(in_flannel: Subject) -> None:
    subject = replace(in_flannel, facts=_flannel_facts(forward="0"))
    assert _texts(subject) == ["net.ipv4.ip_forward is 0 on k8s-node1: the node does not pass packets on"]


def test_a_route_that_is_missing_where_there_is_a_default_one(in_flannel: Subject) -> None:
    routes = "10.200.1.5 10.200.1.5 dev cni0\n10.200.2.6 10.200.2.6 via 192.168.31.1 dev eth0\n"
    assert _texts(replace(in_flannel, facts=_flannel_facts(routes=routes))) == [
        "k8s-node1 reaches pod probe-k8s-node2 (10.200.2.6) on k8s-node2 through eth0, expected flannel.1:"
        " there is no route to it but the default one"
    ]


def test_a_daemon_that_is_gone_or_stopped(in_flannel: Subject, in_hybridnet: Subject) -> None:
    gone = _flannel_facts(processes=_without(PROCESSES, "flanneld"))
    assert _texts(replace(in_flannel, facts=gone)) == [
        "the daemon of flannel is not running on k8s-node1: there is no process flanneld or lab-flanneld"
    ]
    stopped = _flannel_facts(processes=PROCESSES.replace("(lab-flanneld) S", "(lab-flanneld) T"))
    assert _texts(replace(in_flannel, facts=stopped)) == [
        "the daemon of flannel on k8s-node1 is stopped (process 1402 is in state T)"
    ]
    without = replace(_hybridnet_facts(), processes=gone.processes_named("kube-proxy"))
    assert _texts(replace(in_hybridnet, facts=without), Topic.DAEMON) == [
        "the daemon of hybridnet is not running on k8s-node1: there is no process hybridnet-daemon"
    ]


def _without(text: str, word: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if word not in line)


def test_kube_proxy_gone_with_its_old_rules_left(in_flannel: Subject) -> None:
    facts = _flannel_facts(
        processes=_without(PROCESSES, "kube-proxy"), legacy=FILTER + _without(NAT, "10.96.33.44")
    )
    pods = (_pod("kube-proxy-abcde", "k8s-node2"),)
    assert _texts(replace(in_flannel, facts=facts, system_pods=pods)) == [
        "kube-proxy is not running on k8s-node1: it has no pod there",
        "kube-proxy on k8s-node1 does not program rules: the Service lab-acceptance/backend (10.96.33.44),"
        " made for this check, is not in its iptables",
    ]


def test_kube_proxy_gone_while_its_pod_is_there(in_flannel: Subject) -> None:
    facts = _flannel_facts(processes=_without(PROCESSES, "kube-proxy"))
    pods = (_pod("kube-proxy-abcde", "k8s-node1", ready=False),)
    assert _texts(replace(in_flannel, facts=facts, system_pods=pods)) == [
        "kube-proxy is not running on k8s-node1: its pod kube-proxy-abcde is Pending (ContainerCreating)"
    ]


def test_kube_proxy_halted(in_flannel: Subject) -> None:
    facts = _flannel_facts(processes=PROCESSES.replace("(kube-proxy) S", "(kube-proxy) T"))
    assert _texts(replace(in_flannel, facts=facts)) == [
        "kube-proxy on k8s-node1 is stopped (process 1401 is in state T): it is there and does nothing"
    ]


def test_no_rules_at_all(in_flannel: Subject) -> None:
    facts = _flannel_facts(legacy=FILTER)
    assert _texts(replace(in_flannel, facts=facts)) == [
        "there are no kube-proxy rules on k8s-node1: no chain KUBE-SERVICES in iptables' table nat"
    ]


def test_a_service_without_endpoints_is_known_to_kube_proxy(in_flannel: Subject) -> None:
    reject = '-A KUBE-SERVICES -d 10.96.33.44/32 -p tcp -m comment --comment "has no endpoints" -j REJECT\n'
    facts = _flannel_facts(legacy=FILTER.replace("COMMIT", f"{reject}COMMIT") + _without(NAT, "10.96.33.44"))
    assert _texts(replace(in_flannel, facts=facts)) == []


def test_another_mode_is_noticed(in_macvlan: Subject) -> None:
    facts = _macvlan_facts(links=[*NICS, SHIM, _vxlan("eth1", "172.31.7.102")])
    assert _texts(replace(in_macvlan, facts=facts)) == [
        "k8s-node1 has the device flannel.1, which belongs to another network mode"
    ]


def test_macvlan_without_its_shim(in_macvlan: Subject, inventory: Inventory) -> None:
    routes = "172.31.6.85 172.31.6.85 dev eth1 uid 0\n172.31.6.169 172.31.6.169 dev eth1 uid 0\n"
    facts = _macvlan_facts(links=NICS, routes=routes)
    assert _texts(replace(in_macvlan, facts=facts)) == [
        "k8s-node1 reaches pod probe-k8s-node1 (172.31.6.85) on k8s-node1 through eth1,"
        " expected a macvlan device over eth1"
    ]
    bare = load_expectations("macvlan", {"host_shim": False})
    assert _texts(replace(in_macvlan, facts=facts, expectations=bare)) == []


def test_macvlan_over_the_wrong_nic(in_macvlan: Subject) -> None:
    facts = _macvlan_facts(pod_links=[_link("eth0", 4, "macvlan", link_index=2)])
    assert _texts(replace(in_macvlan, facts=facts)) == [
        "eth0 of pod probe-k8s-node1 on k8s-node1 lies on eth0, expected eth1"
    ]


def test_a_pod_with_the_device_of_another_mode(in_macvlan: Subject) -> None:
    (text,) = _texts(
        replace(in_macvlan, facts=_macvlan_facts(pod_links=[_link("eth0", 4, "veth", link_index=3)]))
    )
    assert text == "eth0 of pod probe-k8s-node1 on k8s-node1 is veth, expected macvlan"


def test_a_route_that_is_missing(in_flannel: Subject) -> None:
    routes = "10.200.1.5 10.200.1.5 dev cni0\n10.200.2.6 \n"
    assert _texts(replace(in_flannel, facts=_flannel_facts(routes=routes))) == [
        "k8s-node1 has no route to pod probe-k8s-node2 (10.200.2.6) on k8s-node2"
    ]


def test_cluster_causes() -> None:
    unready = replace(_node(), ready=False, not_ready_because="cni plugin not initialized")
    dns = _pod("coredns-1", "k8s-node1", ready=False, labels={"k8s-app": "kube-dns"})
    assert cluster_causes({"k8s-node1": unready}, (dns,)) == (
        "node k8s-node1 is not Ready: cni plugin not initialized",
        "no CoreDNS pod is Ready: coredns-1 on k8s-node1: Pending (ContainerCreating)",
    )
    assert cluster_causes(Problem("the API server is silent"), ()) == (
        "the API server is silent",
        "there is no CoreDNS pod (label k8s-app=kube-dns)",
    )


def test_parsers_take_what_the_tools_print() -> None:
    assert parse_links("") == ()
    assert parse_processes(PROCESSES)[-1].name == "hybridnet-daemo"
    assert parse_routes("10.0.0.1 10.0.0.1 dev eth1 src 10.0.0.2\n10.0.0.9 \n") == {
        IPv4Address("10.0.0.1"): "eth1",
        IPv4Address("10.0.0.9"): "",
    }
    firewall = parse_firewall("legacy", FILTER + NAT)
    assert firewall.policies["filter FORWARD"] == "ACCEPT"
    assert firewall.policies["nat PREROUTING"] == "ACCEPT"
    assert len(firewall.rules_of("nat", "KUBE-SERVICES")) == 2


def test_a_tunnel_that_is_bound_to_no_address_is_read() -> None:
    tunnel = {
        "ifname": "tunl0",
        "ifindex": 7,
        "mtu": 1480,
        "link": None,
        "linkinfo": {"info_kind": "ipip", "info_data": {"remote": "any", "local": "any"}},
    }
    bound = {
        **tunnel,
        "ifname": "flannel.ipip",
        "linkinfo": {"info_kind": "ipip", "info_data": {"local": "172.31.7.102"}},
    }
    unbound, with_address = parse_links(json.dumps([tunnel, bound]))
    assert (unbound.local, unbound.under) == (None, None)
    assert with_address.local == IPv4Address("172.31.7.102")


def test_a_bgp_session_that_is_missing(in_calico: Subject) -> None:
    assert findings(in_calico) == ()
    alone = replace(in_calico, facts=replace(in_calico.facts, bgp_peers=frozenset()))
    assert [text.split(",")[0] for text in _texts(alone)] == [
        "k8s-node1 has no BGP session (TCP 179) with k8s-master1 (172.31.7.101)",
        "k8s-node1 has no BGP session (TCP 179) with k8s-node2 (172.31.7.103)",
    ]


def test_calico_on_the_wrong_nic(in_calico: Subject) -> None:
    wrong = replace(_node(), annotations={"projectcalico.org/IPv4Address": "192.168.31.102/24"})
    (said,) = _texts(replace(in_calico, cluster_node=wrong))
    assert "calico announces k8s-node1 to the other nodes as 192.168.31.102 on eth0" in said
