from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest

from lab.doors.off_limits import HostNetwork, free_link_network, host_network, lans_of
from lab.foundation.errors import LabError

HOST_ADDRESSES = """
set -e
ip link set lo up
ip link add wan type veth peer name tunnel
ip address add 198.51.100.20/24 dev wan
ip link set wan up
ip link set tunnel up
ip route add default via 198.51.100.1
ip route add 10.8.0.0/16 via 198.51.100.2
ip address add 192.0.2.1/32 dev tunnel
ip route add 0.0.0.0/1 dev tunnel
exec "$@"
"""


def networks(*texts: str) -> tuple[IPv4Network, ...]:
    return tuple(map(IPv4Network, texts))


def test_a_host_is_its_addresses_and_what_is_on_its_links() -> None:
    """Not what is behind a router, nor a tunnel that takes everything."""
    found = host_network(["unshare", "--net", "sh", "-c", HOST_ADDRESSES, "sh"])
    assert set(found.addresses) == {IPv4Address("198.51.100.20"), IPv4Address("192.0.2.1")}
    assert found.lans == networks("198.51.100.0/24")


def test_a_host_without_a_network_has_no_address() -> None:
    assert host_network(["unshare", "--net"]) == HostNetwork((), ())


def test_private_addresses_are_off_limits_and_public_ones_on_a_link() -> None:
    found = lans_of(HostNetwork((), networks("192.168.7.0/24", "198.51.100.0/24")))
    assert IPv4Network("198.51.100.0/24") in found
    assert IPv4Network("192.168.0.0/16") in found
    assert IPv4Network("192.168.7.0/24") not in found


def test_the_link_has_a_network_that_nobody_else_has() -> None:
    assert free_link_network(()) == IPv4Network("10.0.2.0/24")
    assert free_link_network(networks("10.0.0.0/16", "10.166.0.0/16")) == IPv4Network("172.30.166.0/24")
    with pytest.raises(LabError, match="no network is free for the link"):
        free_link_network(networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
