"""A plan whose nodes have addresses of two families, which no topology's file can say yet."""

from __future__ import annotations

import dataclasses
from ipaddress import IPv4Interface, IPv6Address, IPv6Interface

import pytest

from lab.topology.plan import Plan

SIX = IPv6Interface("fd00::101/64")


def test_the_first_address_is_the_primary_one_and_each_family_is_found(plan: Plan) -> None:
    nic = plan.first_control_plane.nic_on("underlay")
    four = IPv4Interface("172.31.7.101/21")
    assert nic.primary == nic.ipv4 == four
    both = dataclasses.replace(nic, addresses=(SIX, four))
    assert (both.primary, both.ipv4) == (SIX, four)
    with pytest.raises(LookupError, match="eth1 on underlay has no IPv4 address"):
        _ = dataclasses.replace(nic, addresses=(SIX,)).ipv4


def test_an_ipv6_endpoint_has_brackets_in_its_url(plan: Plan) -> None:
    api = plan.kubernetes.api
    assert api.url == "https://172.31.7.101:6443"
    assert dataclasses.replace(api, addresses=(IPv6Address("fd00::101"),)).url == "https://[fd00::101]:6443"
