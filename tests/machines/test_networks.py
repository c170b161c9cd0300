from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Interface
from pathlib import Path

import pytest

from lab.foundation.process import run
from lab.host.enclosure import Enclosure
from lab.machines.libvirt_api import Libvirt
from lab.machines.networks import POOL, bridge_mac, make_networks, make_pool, network_xml
from lab.topology.plan import Plan

GOLDEN = Path(__file__).parent / "golden"
# Asks the name server 192.168.31.1 for an A record and prints the answer's code and its last four bytes.
ASK = """
import socket, sys
name = b"".join(bytes([len(part)]) + part.encode() for part in sys.argv[1].split(".")) + bytes(1)
question = bytes.fromhex("000101000001000000000000") + name + bytes.fromhex("00010001")
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.settimeout(5)
asking.sendto(question, ("192.168.31.1", 53))
answer = asking.recv(512)
print(answer[3] & 15, ".".join(map(str, answer[-4:])))
"""


@pytest.fixture(scope="module")
def connection(enclosure: Enclosure) -> Iterator[Libvirt]:
    with Libvirt(enclosure.libvirt_uri) as connection:
        yield connection


@pytest.mark.parametrize("name", ["uplink", "underlay"])
def test_definition(plan: Plan, name: str) -> None:
    assert network_xml(plan.network(name), plan.nodes) == (GOLDEN / f"{name}.xml").read_text()


def test_a_larger_mtu_is_part_of_the_definition(plan: Plan) -> None:
    assert "<mtu" not in network_xml(plan.network("underlay"), plan.nodes)
    assert '<mtu size="9000" />' in network_xml(replace(plan.network("underlay"), mtu=9000), plan.nodes)


def test_bridges_have_macs_that_no_node_has(plan: Plan) -> None:
    bridges = [bridge_mac(network) for network in plan.networks]
    nodes = [nic.mac for node in plan.nodes for nic in node.nics]
    assert len(set(bridges + nodes)) == len(bridges) + len(nodes)
    longest = replace(plan.networks[0], host_address=IPv4Interface("255.255.255.254/24"))
    assert bridge_mac(longest) == "52:54:01:ff:ff:fe"


def test_networks_are_made_once_and_carry_the_gateways(
    enclosure: Enclosure, connection: Libvirt, plan: Plan
) -> None:
    make_networks(connection, plan)
    make_networks(connection, plan)
    assert connection.active_networks() == {"uplink", "underlay", "management", "storage"}
    addresses = run(enclosure.command(["ip", "-brief", "address"])).stdout
    for network in plan.networks:
        assert f"{network.host_address}" in addresses
    assert "br-underlay" not in run(["ip", "link"]).stdout


def test_names_are_answered_at_once(enclosure: Enclosure, connection: Libvirt, plan: Plan) -> None:
    make_networks(connection, plan)

    def ask(name: str) -> str:
        return run(enclosure.network_command(["python3", "-c", ASK, name])).stdout.strip()

    assert ask("k8s-node1") == "0 192.168.31.102"
    assert ask("registry.example.com").startswith("3 ")  # NXDOMAIN, RFC 1035


def test_dnsmasq_which_is_nobody_can_read_the_leases_whatever_the_umask(
    enclosure: Enclosure, connection: Libvirt, plan: Plan
) -> None:
    make_networks(connection, plan)
    leases = "/var/lib/libvirt/dnsmasq/uplink.hostsfile"
    read = run(enclosure.command(["setpriv", "--reuid", "nobody", "--clear-groups", "cat", leases])).stdout
    assert "192.168.31.101,k8s-master1" in read


def test_the_pool_is_made_once(connection: Libvirt) -> None:
    make_pool(connection)
    make_pool(connection)
    assert connection.volumes(POOL) == ()
