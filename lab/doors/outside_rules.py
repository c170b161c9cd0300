"""The rules of the door out, in the lab's network namespace alone: who may leave, where to, by what name.

They are chains of their own, to which one line each in iptables' chains leads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from lab.doors.off_limits import NOWHERE, HostNetwork, lans_of

DEVICE = "outside"
"""The lab's end of the link to the host."""
DNS_PORT = 5335
"""Where the resolver of the door listens, beside libvirt's at port 53."""
LEAVE, ALLOWED, NAMES, SOURCE = "LAB-OUT", "LAB-OUT-ALLOWED", "LAB-OUT-NAMES", "LAB-OUT-SOURCE"
# https://www.rfc-editor.org/rfc/rfc792: net unreachable, as without the door; prohibited, where it ends.
_NO_WAY = "REJECT --reject-with icmp-net-unreachable"
_PROHIBITED = "REJECT --reject-with icmp-admin-prohibited"
_HOOKS = (
    ("filter", "FORWARD", LEAVE),
    ("filter", "OUTPUT", ALLOWED),
    ("nat", "PREROUTING", NAMES),
    ("nat", "POSTROUTING", SOURCE),
)


@dataclass(frozen=True)
class Link:
    """The link between lab and host, with the addresses that slirp4netns(1) gives."""

    network: IPv4Network

    @property
    def host(self) -> IPv4Address:
        """The lab's gateway; also this host's 127.0.0.1, where that is allowed."""
        return self.network[2]

    @property
    def resolver(self) -> IPv4Address:
        """Asks whom the host asks for names."""
        return self.network[3]


def opening_rules(
    bridges: Sequence[str],
    dns_server: IPv4Address,
    link: Link,
    host: HostNetwork,
    *,
    allow_host: bool,
    allow_lan: bool,
) -> str:
    """For `iptables-restore --noflush`.

    Whoever comes from these bridges may leave, and what runs on the lab's own side. What is sent to port 53
    of `dns_server`, an address of the lab's side, goes to the resolver of the door.
    """
    to_host = [link.network, *map(IPv4Network, host.addresses)]
    filtered = [
        f":{LEAVE} - [0:0]",
        f":{ALLOWED} - [0:0]",
        f"-I FORWARD -j {LEAVE}",
        f"-I OUTPUT -o {DEVICE} -j {ALLOWED}",
        f"-A {LEAVE} -i {DEVICE} -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN",
        f"-A {LEAVE} -i {DEVICE} -j DROP",
        *(f"-A {LEAVE} -i {bridge} -o {DEVICE} -g {ALLOWED}" for bridge in bridges),
        f"-A {LEAVE} -o {DEVICE} -j {_NO_WAY}",
        f"-A {ALLOWED} -d {link.resolver} -p udp --dport 53 -j RETURN",
        f"-A {ALLOWED} -d {link.resolver} -p tcp --dport 53 -j RETURN",
        *(f"-A {ALLOWED} -d {network} -j {_PROHIBITED}" for network in NOWHERE),
        *(f"-A {ALLOWED} -d {each} -j {'RETURN' if allow_host else _PROHIBITED}" for each in to_host),
        *(f"-A {ALLOWED} -d {lan} -j {_PROHIBITED}" for lan in lans_of(host) if not allow_lan),
    ]
    translated = [
        f":{NAMES} - [0:0]",
        f":{SOURCE} - [0:0]",
        f"-I PREROUTING -j {NAMES}",
        f"-I POSTROUTING -o {DEVICE} -j {SOURCE}",
        *(
            f"-A {NAMES} -d {dns_server} -p {protocol} --dport 53 -j DNAT --to {dns_server}:{DNS_PORT}"
            for protocol in ("udp", "tcp")
        ),
        f"-A {SOURCE} -j MASQUERADE",
    ]
    return "\n".join(["*filter", *filtered, "COMMIT", "*nat", *translated, "COMMIT", ""])


def closing_script() -> str:
    """For a shell: removes the rules, however many of them are there."""
    lines = ["exec 2>/dev/null"]
    for table, hook, chain in _HOOKS:
        device = f" -o {DEVICE}" if hook in ("OUTPUT", "POSTROUTING") else ""
        lines.append(f"while iptables -w -t {table} -D {hook}{device} -j {chain}; do :; done")
    # A chain can be removed only when no other leads to it.
    lines += [f"iptables -w -t {table} -F {chain}" for table, _, chain in _HOOKS]
    lines += [f"iptables -w -t {table} -X {chain}" for table, _, chain in _HOOKS]
    return "\n".join([*lines, "true", ""])
