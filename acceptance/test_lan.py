"""The LAN around the nodes: its gateway answers, and nobody else has a pod's address."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from acceptance.arp import ArpAnswers
from acceptance.diagnosis.lan import duplicates, gateway, unjudged
from acceptance.evidence import Evidence
from acceptance.lan_claims import claims, gateway_of, strangers_on_the_lan
from acceptance.problems import Problem


def _asked(evidence: Evidence) -> tuple[ArpAnswers | Problem, IPv4Address]:
    address = gateway_of(evidence)
    if address is None:
        pytest.skip("the lab has no LAN host that could ask")
    return (Problem("it was not asked") if evidence.arp is None else evidence.arp), address


def test_the_gateway_answers(evidence: Evidence) -> None:
    """The underlay's gateway answers the LAN host's ARP requests."""
    if wrong := gateway(*_asked(evidence)):
        pytest.fail("\n".join(wrong), pytrace=False)


def test_no_address_of_a_pod_is_there_twice(evidence: Evidence) -> None:
    """Where pods have addresses of the LAN, only the pod or its node answers the LAN host for them."""
    answers, _ = _asked(evidence)
    pods = claims(evidence)
    if wrong := duplicates(answers, pods) + unjudged(pods) + strangers_on_the_lan(evidence):
        pytest.fail("\n".join(wrong), pytrace=False)
