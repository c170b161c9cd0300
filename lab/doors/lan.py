"""The door to a real LAN: a device of this host is a port of a lab's underlay, while it is open.

Machines of that LAN and those of the lab are neighbours then: nodes, and pods whose addresses are of the
underlay.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from lab.doors.lan_survey import Seen, survey
from lab.doors.tied_door import TiedDoor
from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.json_file import write_json
from lab.foundation.paths import LabFolder
from lab.foundation.process import run
from lab.foundation.strict import STRICT
from lab.host.process_identity import ProcessIdentity
from lab.host.site import Site
from lab.topology.models import NetworkRole
from lab.topology.plan import NetworkPlan, Plan

PORT_PROGRAM = "lab.doors.lan_port"
CARRIER = "what carries the frames"
PORT = "real-lan"
"""Of its process' record and log."""
SYSFS = Path("/sys/class/net")
WIRELESS = ("wireless", "phy80211")
"""What a Wi-Fi device has in sysfs (Documentation/ABI/testing/sysfs-class-net)."""


@dataclass(frozen=True, config=STRICT)
class LanOpening:
    """Which device is a port of which network."""

    device: str
    network: str
    since: str
    """UTC, ISO 8601."""
    host_side: ProcessIdentity | None


_OPENING = TypeAdapter(LanOpening)


class RealLan(TiedDoor[LanOpening]):
    """The door to a LAN of one lab."""

    def __init__(self, site: Site, folder: LabFolder, host: Sequence[str] = ()) -> None:
        """`host` are words before a command that runs where this host's network is, if not in this one's."""
        super().__init__(site, folder.real_lan, _OPENING, {PORT: CARRIER})
        self._folder = folder
        self._host = tuple(host)

    def open(self, plan: Plan, device: str, now: str) -> LanOpening:
        """Join the device and the underlay; what was open before is closed first.

        Raises LabError and WrongUseError like `require_joinable`, and when the lab has no underlay yet.
        """
        self.close()
        underlay = require_joinable(plan, device, self._host)
        opening = LanOpening(device, underlay.name, now, self._first_process())
        write_json(self._folder.real_lan, opening)
        try:
            self._start(device, underlay.bridge)
        except BaseException:
            self.close()
            raise
        return opening

    def _start(self, device: str, bridge: str) -> None:
        program = [*self._host, sys.executable, "-m", PORT_PROGRAM, device, self._namespace, bridge]
        self._start_heard(PORT, lambda told: [*program, str(told)])


def require_joinable(plan: Plan, device: str, host: Sequence[str] = ()) -> NetworkPlan:
    """The underlay, which the device can be a port of, and on whose LAN nobody has an address of the lab's.

    Raises WrongUseError for a device that cannot, LabError about addresses that are taken.
    """
    underlay = plan.underlay
    if underlay is None:
        raise WrongUseError(
            f"the topology {plan.topology} has no underlay, and only that can be joined to a LAN",
            resolution=f"give it a network with the role {NetworkRole.UNDERLAY}",
        )
    own = _addresses_of(device, host)
    addresses = lab_addresses(plan, underlay)
    seen = survey(device, tuple(addresses), host)
    taken = {**seen.taken, **{str(each): "this host" for each in own if each in addresses}}
    if taken:
        lines = (f"{each}, for {addresses[IPv4Address(each)]}: {by}" for each, by in sorted(taken.items()))
        raise LabError(
            f"addresses of the lab are in use on the LAN of {device}",
            details="\n".join(lines),
            resolution=f"choose others in the topology, or take these machines off the LAN of {device}",
        )
    _require_own_to_give(underlay, addresses, seen, device)
    return underlay


def lab_addresses(plan: Plan, network: NetworkPlan) -> dict[IPv4Address, str]:
    """Each address of the network that the lab uses, or may give to a pod, and for whom."""
    found: dict[IPv4Address, str] = {}
    if network.pod_range is not None:
        first, last = int(network.pod_range.first), int(network.pod_range.last)
        found.update(dict.fromkeys(map(IPv4Address, range(first, last + 1)), "pods"))
    found[network.host_address.ip] = "the gateway"
    if network.lan_host is not None:
        found[network.lan_host.ip] = "the LAN host"
    for node in plan.nodes:
        for nic in node.nics:
            if nic.network == network.name:
                addresses = (each.ip for each in nic.addresses if isinstance(each, IPv4Interface))
                found.update(dict.fromkeys(addresses, node.name))
    return found


def _require_own_to_give(
    network: NetworkPlan, addresses: dict[IPv4Address, str], seen: Seen, device: str
) -> None:
    """Raises LabError when a DHCP server there gives out what the lab uses."""
    for offer in seen.offers:
        if IPv4Address(offer.address) in addresses:
            raise LabError(
                f"the DHCP server {offer.server} on the LAN of {device} gives out addresses of the lab",
                details=f"it offered {offer.address}, which is for {addresses[IPv4Address(offer.address)]}",
                resolution=f"choose addresses of {network.name} that the server does not give out",
            )


def _addresses_of(device: str, host: Sequence[str]) -> tuple[IPv4Address, ...]:
    """All IPv4 addresses of this host. Raises WrongUseError when the device cannot be a port of a bridge."""
    if any((SYSFS / device / name).exists() for name in WIRELESS):
        raise WrongUseError(
            f"{device} is a Wi-Fi device, which sends no frames but its own",
            details="an access point refuses those with the MAC addresses of nodes and pods",
            resolution="take a device with a cable, or do without: `lab forward ADDRESS:PORT:TARGET` lets"
            " machines there reach Services and pods in every mode, `lab outside open --allow-lan` lets pods"
            " reach them",
        )
    links = {link["ifname"]: link for link in json.loads(run([*host, "ip", "-json", "address"]).stdout)}
    able = [name for name, link in links.items() if link["link_type"] == "ether"]
    if device not in able:
        raise WrongUseError(
            f"this host has no Ethernet device {device}",
            resolution=f"use one of: {', '.join(able) or 'none'}",
        )
    link = links[device]
    if "UP" not in link["flags"] or "LOWER_UP" not in link["flags"]:
        raise LabError(
            f"{device} is down, or has no cable", resolution=f"put it in order: ip link set {device} up"
        )
    if "master" in link:
        raise WrongUseError(
            f"{device} is a port of {link['master']} already",
            resolution=f"use {link['master']}, which is on the same LAN",
        )
    return tuple(
        IPv4Address(address["local"])
        for each in links.values()
        for address in each["addr_info"]
        if address["family"] == "inet"
    )
