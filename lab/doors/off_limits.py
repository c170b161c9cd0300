"""Where nodes may not go through the door out, unless it was opened for that: this host, and its LAN."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, collapse_addresses

from lab.foundation.errors import LabError
from lab.foundation.process import run

NOWHERE = tuple(map(IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4")))
"""This host itself, multicast and reserved: RFC 6890, RFC 5771. Nothing in the world has such an address."""
PRIVATE = tuple(
    map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"))
)
"""RFC 1918, RFC 6598 (providers, VPNs) and RFC 3927, where clouds have their metadata services."""
LINK_NETWORKS = tuple(
    map(IPv4Network, ("10.0.2.0/24", "10.166.2.0/24", "172.30.166.0/24", "192.168.166.0/24"))
)
"""For the link between lab and host; the first is what slirp4netns has by itself."""
SHORTEST_LAN = 8
"""Bits; what is on a link with a shorter prefix is no LAN but a tunnel that takes everything."""


@dataclass(frozen=True)
class HostNetwork:
    """What the host is in its own network."""

    addresses: tuple[IPv4Address, ...]
    lans: tuple[IPv4Network, ...]
    """That are on one of its links."""


def host_network(enter: Sequence[str] = ()) -> HostNetwork:
    """Of where `enter`, words before a command, leads; without, of this process."""
    words = (*enter, "ip", "-4", "-json")
    links = json.loads(run([*words, "address"]).stdout or "[]")
    routes = json.loads(run([*words, "route"]).stdout or "[]")
    addresses = [IPv4Address(info["local"]) for link in links for info in link.get("addr_info", ())]
    on_link = (route["dst"] for route in routes if "gateway" not in route and route["dst"] != "default")
    lans = [IPv4Network(each) for each in on_link]
    return HostNetwork(
        tuple(address for address in addresses if not address.is_loopback),
        tuple(lan for lan in lans if lan.prefixlen >= SHORTEST_LAN),
    )


def lans_of(host: HostNetwork) -> tuple[IPv4Network, ...]:
    """All private addresses, as the host may reach some by a router, and what is on its links."""
    return tuple(collapse_addresses([*PRIVATE, *host.lans]))


def free_link_network(taken: Iterable[IPv4Network]) -> IPv4Network:
    """The first that overlaps none of these. Raises LabError when there is none."""
    networks = tuple(taken)
    for candidate in LINK_NETWORKS:
        if not any(candidate.overlaps(network) for network in networks):
            return candidate
    raise LabError(
        "no network is free for the link between the lab and this host",
        details=f"each of {', '.join(map(str, LINK_NETWORKS))} is in the lab or on a link of the host",
        resolution="give the networks of the topology other addresses",
    )
