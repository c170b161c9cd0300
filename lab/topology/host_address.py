"""Whether a host can have an address on a network of a topology."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from lab.topology.draft import DraftNetwork
from lab.topology.findings import Problem


def host_address(
    network: DraftNetwork, what: str, address: IPv4Address, path: tuple[str, ...]
) -> Iterator[Problem]:
    """Problems of an address that a host is to have on the network."""
    cidr = network.cidr
    if cidr is None:
        return
    if address not in cidr:
        yield Problem(
            path, f"found {what} {address}, expected an address in {cidr}, the network '{network.name}'"
        )
    elif address == cidr.network_address:
        yield Problem(
            path, f"found {what} {address}, the network address of {cidr}, expected a host's address"
        )
    elif address == cidr.broadcast_address:
        yield Problem(
            path, f"found {what} {address}, the broadcast address of {cidr}, expected a host's address"
        )
