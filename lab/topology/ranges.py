"""Ranges of addresses: which cannot be used, and which meet the host's own routes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network

from lab.topology.plan import Plan

SPECIAL_RANGES = {
    IPv4Network("0.0.0.0/8"): "which means this host (RFC 1122)",
    IPv4Network("127.0.0.0/8"): "which is for loopback (RFC 1122)",
    IPv4Network("169.254.0.0/16"): "which is link-local (RFC 3927)",
    IPv4Network("224.0.0.0/3"): "which is multicast or reserved (RFC 5771, RFC 1112)",
}
"""Ranges that no host can have an ordinary address in, with the reason."""


@dataclass(frozen=True)
class RouteOverlap:
    """A range of the plan that meets a route of the host."""

    what: str
    """`the network 'underlay'`, `the pod CIDR` or `the service CIDR`."""
    cidr: IPv4Network
    route: IPv4Network

    def __str__(self) -> str:
        return f"{self.what} {self.cidr} overlaps the host's route to {self.route}"


def impossible_range(cidr: IPv4Network) -> str | None:
    """Why hosts cannot have addresses of that range; None when they can."""
    return next((reason for special, reason in SPECIAL_RANGES.items() if cidr.overlaps(special)), None)


def overlaps_with_routes(plan: Plan, routes: Iterable[IPv4Network]) -> tuple[RouteOverlap, ...]:
    """The ranges of the plan that meet one of the host's routes; the default route meets nothing.

    Matters only where a lab lives in the host's own network namespace.
    """
    wanted = [(f"the network '{network.name}'", network.cidr) for network in plan.networks]
    wanted.append(("the pod CIDR", plan.kubernetes.pod_cidr))
    wanted.append(("the service CIDR", plan.kubernetes.service_cidr))
    narrow = [route for route in routes if route.prefixlen > 0]
    return tuple(
        RouteOverlap(what, cidr, route) for what, cidr in wanted for route in narrow if cidr.overlaps(route)
    )
