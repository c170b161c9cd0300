"""The door out: a lab's nodes reach what this host reaches, as programs of this host do.

slirp4netns is the link: it lives in the host's network, where it makes connections like any other program,
and has its other end in the lab's network namespace. Only there are routes, addresses and rules changed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from ipaddress import IPv4Network

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from lab.doors.off_limits import free_link_network, host_network
from lab.doors.outside_rules import DEVICE, DNS_PORT, Link, closing_script, opening_rules
from lab.doors.programs import require_installed
from lab.doors.proxies import NO_PROXIES, Proxies, ProxyWay, for_nodes
from lab.doors.tied_door import TiedDoor
from lab.foundation.errors import LabError
from lab.foundation.json_file import write_json
from lab.foundation.paths import LabFolder
from lab.foundation.process import run
from lab.foundation.strict import STRICT
from lab.host import forget_connections
from lab.host.process_identity import ProcessIdentity
from lab.host.site import Site
from lab.topology.plan import Plan

LINK_PROGRAM = "slirp4netns"
RESOLVER_PROGRAM = "dnsmasq"
PACKAGES = {LINK_PROGRAM: "slirp4netns", RESOLVER_PROGRAM: "dnsmasq-base", "iptables-restore": "iptables"}
"""The Debian packages of what the door is made with."""
LINK, RESOLVER = "outside-link", "outside-names"
"""Of its processes' records and logs."""


@dataclass(frozen=True, config=STRICT)
class Opening:
    """How the door was opened."""

    networks: tuple[str, ...]
    """From which one may leave."""
    allow_host: bool
    allow_lan: bool
    since: str
    """UTC, ISO 8601."""
    link: str
    """The network of the link between lab and host."""
    host_side: ProcessIdentity | None
    """The first process of the lab's host side then; the door has gone with it."""
    found: Proxies = NO_PROXIES
    """The host's proxies that were to be offered to nodes."""
    proxies: Proxies = NO_PROXIES
    """Those of them that nodes reach, as they reach them."""
    refused: tuple[str, ...] = ()
    """Why others are not offered."""

    @property
    def host_address(self) -> str:
        """At which this host's loopback is reached; "" where that is not allowed."""
        return str(Link(IPv4Network(self.link)).host) if self.allow_host else ""


_OPENING = TypeAdapter(Opening)


class WayOut(TiedDoor[Opening]):
    """The door out of one lab."""

    def __init__(self, site: Site, folder: LabFolder, host: Sequence[str] = ()) -> None:
        """`host` are words before a command that runs where this host's network is, if not in this one's."""
        processes = {LINK: LINK_PROGRAM, RESOLVER: RESOLVER_PROGRAM}
        super().__init__(site, folder.outside, _OPENING, processes)
        self._folder = folder
        self._host = tuple(host)

    def open(
        self,
        plan: Plan,
        networks: Sequence[str],
        *,
        allow_host: bool,
        allow_lan: bool,
        now: str,
        found: Proxies = NO_PROXIES,
    ) -> Opening:
        """Open it for whoever comes from these networks of the plan; what was open before is closed first.

        Nodes are told of no proxy here; the opening says which of the `found` ones they can use.
        Raises LabError when a program is not installed, or the lab's networks are not there.
        """
        require_programs()
        self._require_networks(plan, networks)
        self.close()
        host = host_network(self._host)
        plans = [plan.network(name) for name in networks]
        inside = [network.cidr for network in plan.networks]
        inside += [plan.kubernetes.pod_cidr, plan.kubernetes.service_cidr]
        link = Link(free_link_network([*inside, *host.lans]))
        way = ProxyWay(link, host, allow_host, allow_lan)
        proxies, refused = for_nodes(found, plan, way) if found else (NO_PROXIES, ())
        opening = Opening(
            networks=tuple(networks),
            allow_host=allow_host,
            allow_lan=allow_lan,
            since=now,
            link=str(link.network),
            host_side=self._first_process(),
            found=found,
            proxies=proxies,
            refused=refused,
        )
        rules = opening_rules(
            [network.bridge for network in plans],
            plan.uplink.host_address.ip,
            link,
            host,
            allow_host=allow_host,
            allow_lan=allow_lan,
        )
        # Recorded before there is anything of it, and the rules before the link: whatever ends this process,
        # nobody can leave unruled, and the door counts as broken.
        write_json(self._folder.outside, opening, 0o600)
        try:
            run(self._site.network_command(["iptables-restore", "-w", "--noflush"]), stdin=rules)
            self._start_link(link, allow_host=allow_host)
            self._start_resolver(plan, link)
            self._forget_connections()
        except BaseException:
            self.close()
            raise
        return opening

    def close(self) -> None:
        """End what it is made of; harmless when it is closed."""
        self._end_processes()
        if self._site.running:
            run(self._site.network_command(["sh", "-c", closing_script()]))
            self._forget_connections()
        self._folder.outside.unlink(missing_ok=True)

    def _forget_connections(self) -> None:
        """Who asked for names lately from one port, and goes on, is led by the rules of now too."""
        program = [sys.executable, "-I", "-S", forget_connections.__file__]
        run(self._site.network_command(program), check=False)

    def _require_networks(self, plan: Plan, networks: Sequence[str]) -> None:
        needed = {plan.uplink.name: plan.uplink, **{name: plan.network(name) for name in networks}}
        there = run(self._site.network_command(["ip", "-brief", "link"])).stdout
        devices = {line.split()[0].partition("@")[0] for line in there.splitlines()}
        lacking = [name for name, network in needed.items() if network.bridge not in devices]
        if lacking:
            raise LabError(
                f"the lab {self._folder.name} has no network {', '.join(lacking)} yet",
                resolution=f"lab up --topology {plan.topology} --name {self._folder.name}",
            )

    def _start_link(self, link: Link, *, allow_host: bool) -> None:
        program = [
            *(*self._host, LINK_PROGRAM, "--configure", "--enable-sandbox", f"--cidr={link.network}"),
            *(() if allow_host else ("--disable-host-loopback",)),
        ]
        of_lab = ("--netns-type=path", self._namespace, DEVICE)
        self._start_heard(LINK, lambda told: [*program, f"--ready-fd={told}", *of_lab])

    def _start_resolver(self, plan: Plan, link: Link) -> None:
        """It knows the nodes, as libvirt's does; of others it asks the host's resolver, by the link."""
        address = plan.uplink.host_address.ip
        nodes = [f"--host-record={node.name},{node.nic_on(plan.uplink.name).ipv4.ip}" for node in plan.nodes]
        words = [
            *(RESOLVER_PROGRAM, "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file"),
            *("--no-resolv", "--no-hosts", "--bind-interfaces", f"--listen-address={address}"),
            *(f"--port={DNS_PORT}", f"--server={link.resolver}", *nodes),
            # The names of a lab are nobody else's business.
            *("--domain-needed", "--bogus-priv", f"--local=/{plan.kubernetes.dns_domain}/"),
        ]
        self._start_serving(RESOLVER, words, str(address), DNS_PORT, "names from outside")


def require_programs() -> None:
    """Raises LabError that names the packages of what is not installed."""
    require_installed(PACKAGES, "the door out")
