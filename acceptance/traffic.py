"""The kinds of frames that may pass an underlay NIC, and which of them a frame is."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from acceptance.expectations import Expectations, FrameKind, Wrapping
from acceptance.frames import Arp, Content, Frame, Icmp6, Packet
from acceptance.inventory import AddressRange, Inventory
from acceptance.netexec import NODE_UDP_PORT
from acceptance.node_facts import BGP_PORT

NODE_UDP_PORTS = frozenset({53, 67, 68, 123, NODE_UDP_PORT})
"""DNS, DHCP, NTP, and the suite's own questions. No other UDP between nodes: it could be a tunnel."""
NEIGHBOUR_DISCOVERY = frozenset(range(133, 138))
"""Types of ICMPv6 (RFC 4861)."""
MULTICAST_LISTENERS = frozenset({130, 131, 132, 143})
"""Types of ICMPv6 (RFC 2710, RFC 3810)."""


@dataclass(frozen=True)
class PodRange:
    """Where pods of a group have their addresses, and how their packets must be wrapped between nodes."""

    addresses: AddressRange | IPv4Network
    wrapped: Wrapping | None


@dataclass(frozen=True)
class Traffic:
    """Whose the addresses on the wire are, and what the expectations allow there."""

    nodes: frozenset[IPv4Address]
    """With the API's address, which one of them has."""
    services: IPv4Network
    pods: tuple[PodRange, ...]
    udp_ports: frozenset[int]
    allowed: frozenset[FrameKind]

    @staticmethod
    def of(inventory: Inventory, expectations: Expectations) -> Traffic:
        """What is right on the underlay NICs of a lab in its mode."""
        lan_host = inventory.lan_host
        watched = [group for group in expectations.groups if group.wire is not None]
        return Traffic(
            frozenset(address for node in inventory.nodes for address in node.addresses)
            | {inventory.kubernetes.api_address},
            inventory.kubernetes.service_cidr,
            tuple(_ranges(inventory, watched)),
            NODE_UDP_PORTS | {lan_host.udp_port} if lan_host is not None else NODE_UDP_PORTS,
            frozenset(kind for group in watched if group.wire is not None for kind in group.wire.allowed),
        )

    def strangers(self, frames: Iterable[Frame]) -> list[str]:
        """The frames that are of no kind that is allowed, in words."""
        return [
            f"{frame}: {kind if kind is not None else 'of no kind that the suite knows'}"
            for frame in frames
            if (kind := self.kind_of(frame.content)) not in self.allowed
        ]

    def kind_of(self, content: Content) -> FrameKind | None:
        """None for what is never right: a pod's packet that is not wrapped as it must be, unknown tunnels."""
        match content:
            case Arp():
                return self._of_untunnelled(content.sender, content.target, FrameKind.PODS_ARP, FrameKind.ARP)
            case Icmp6():
                return _of_icmp6(content)
            case Packet(tunnel=None):
                return self._of_untunnelled(
                    content.source, content.target, FrameKind.PODS, self._of_no_pod(content)
                )
            case Packet():
                return self._of_tunnel(content)
        return None

    def _of_untunnelled(
        self, sender: IPv4Address, target: IPv4Address, of_pods: FrameKind, of_others: FrameKind | None
    ) -> FrameKind | None:
        ranges = self._ranges_of(sender, target)
        if any(pods.wrapped is not None for pods in ranges):
            return None
        if sender in self.services or target in self.services:
            return FrameKind.SERVICES
        return of_pods if ranges else of_others

    def _of_no_pod(self, packet: Packet) -> FrameKind | None:
        if packet.target.is_multicast or packet.target == IPv4Address("255.255.255.255"):
            return FrameKind.MULTICAST
        return self._between_hosts(packet) if {packet.source, packet.target} & self.nodes else None

    def _between_hosts(self, packet: Packet) -> FrameKind | None:
        ports = packet.ports or ()
        match packet.protocol:
            case socket.IPPROTO_ICMP:
                return FrameKind.NODE_ICMP
            case socket.IPPROTO_TCP if ports:
                return FrameKind.BGP if BGP_PORT in ports else FrameKind.NODE_TCP
            case socket.IPPROTO_UDP if self.udp_ports.intersection(ports):
                return FrameKind.NODE_UDP
        return None

    def _of_tunnel(self, outer: Packet) -> FrameKind | None:
        if not {outer.source, outer.target} <= self.nodes:
            return None
        match outer.inside:
            case Packet(tunnel=None) as inner:
                wrapped = self._wrapped(outer, inner.source, inner.target)
                return FrameKind.PODS_WRAPPED if wrapped else None
            case Arp() as arp:
                if self._wrapped(outer, arp.sender, arp.target):
                    return FrameKind.PODS_ARP_WRAPPED
                return FrameKind.HOSTS_ARP_WRAPPED if self._of_hosts_in_a_tunnel(outer, arp) else None
        return None

    def _of_hosts_in_a_tunnel(self, outer: Packet, arp: Arp) -> bool:
        """Whether the tunnel is one of the mode's, and both ends are nodes or pods."""
        of_the_mode = any(wraps(outer, pods.wrapped) for pods in self.pods)
        return of_the_mode and all(
            host in self.nodes or self._ranges_of(host) for host in (arp.sender, arp.target)
        )

    def _wrapped(self, outer: Packet, *inner: IPv4Address) -> bool:
        """Whether the packet is around a pod's as the pod's group has it."""
        return any(wraps(outer, pods.wrapped) for pods in self._ranges_of(*inner))

    def _ranges_of(self, *addresses: IPv4Address) -> list[PodRange]:
        return [pods for pods in self.pods if any(address in pods.addresses for address in addresses)]


def wraps(outer: Packet, expected: Wrapping | None) -> bool:
    """Whether a packet is the tunnel that is expected; without one, whether it is no tunnel."""
    if expected is None:
        return outer.tunnel is None
    return outer.tunnel == expected.protocol and expected.port in (None, outer.port)


def _of_icmp6(content: Icmp6) -> FrameKind | None:
    if content.type in NEIGHBOUR_DISCOVERY:
        return FrameKind.IPV6_ND
    return FrameKind.IPV6_MLD if content.type in MULTICAST_LISTENERS else None


def _ranges(inventory: Inventory, groups: Iterable[Expectations]) -> Iterable[PodRange]:
    underlay = inventory.underlay
    for group in groups:
        wrapped = group.wire.wrapped if group.wire is not None else None
        if not group.pods.addresses.startswith("underlay"):
            yield PodRange(inventory.kubernetes.pod_cidr, wrapped)
        elif underlay is not None and underlay.pod_range is not None:
            yield PodRange(underlay.pod_range, wrapped)
