"""How the kernel of a node leads Services to pods where that is not iptables' work: IPVS and nftables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from acceptance.shell import Command, Output

IPVS_DEVICE = "kube-ipvs0"
"""Bears every ClusterIP in kube-proxy's mode ipvs, and exists in no other."""

SERVICE_COMMANDS = (
    Command("ipvs", "cat /proc/net/ip_vs 2>/dev/null || true"),
    # The node's own program, or that of kube-proxy's image.
    Command(
        "nft",
        """\
nft() {
  if type -P nft >/dev/null; then command nft "$@"; return; fi
  for comm in $(grep -lsx kube-proxy /proc/[0-9]*/comm); do
    nsenter --target "$(basename "${comm%/comm}")" --mount nft "$@"
    return
  done
}
nft --numeric list table ip kube-proxy 2>/dev/null || true""",
    ),
)


@dataclass(frozen=True)
class VirtualServer:
    """A virtual server of IPVS."""

    protocol: str
    """tcp or udp."""
    address: IPv4Address
    port: int
    real_servers: tuple[IPv4Address, ...] = ()
    """Those that get new connections."""


@dataclass(frozen=True)
class ServiceFacts:
    virtual_servers: tuple[VirtualServer, ...] = ()
    nft_addresses: frozenset[IPv4Address] = frozenset()
    """The Services' addresses in kube-proxy's table of nftables."""


def parse_services(outputs: Mapping[str, Output]) -> ServiceFacts:
    """From the outputs of SERVICE_COMMANDS, as far as they are there."""
    ipvs, nft = outputs.get("ipvs"), outputs.get("nft")
    return ServiceFacts(
        parse_virtual_servers(ipvs.stdout) if ipvs else (),
        parse_nft_addresses(nft.stdout) if nft else frozenset(),
    )


_SERVER = re.compile(r"(TCP|UDP)\s+([0-9A-F]{8}):([0-9A-F]{4}) ")
_REAL = re.compile(r"\s+-> ([0-9A-F]{8}):[0-9A-F]{4}\s+\S+\s+(\d+)")


def parse_virtual_servers(text: str) -> tuple[VirtualServer, ...]:
    """From /proc/net/ip_vs; those by firewall mark or of IPv6 are left out."""
    found: list[VirtualServer] = []
    for line in text.splitlines():
        if server := _SERVER.match(line):
            found.append(VirtualServer(server[1].lower(), _address(server[2]), int(server[3], 16)))
        elif found and (real := _REAL.match(line)) and int(real[2]) > 0:
            last = found[-1]
            reals = (*last.real_servers, _address(real[1]))
            found[-1] = VirtualServer(last.protocol, last.address, last.port, reals)
    return tuple(found)


def _address(digits: str) -> IPv4Address:
    return IPv4Address(int(digits, 16))


_NFT_ELEMENT = re.compile(r"(\d+\.\d+\.\d+\.\d+) \. (?:tcp|udp|sctp) \. \d+ ")


def parse_nft_addresses(text: str) -> frozenset[IPv4Address]:
    """From `nft --numeric list table ip kube-proxy`: elements of its maps, `10.96.0.1 . tcp . 443 : ...`."""
    return frozenset(IPv4Address(found[1]) for found in _NFT_ELEMENT.finditer(text))
