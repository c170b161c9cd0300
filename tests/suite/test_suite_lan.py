"""ARP asked for real, between namespaces; and what the answers mean."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

from acceptance.arp import ArpQuestion
from acceptance.diagnosis.lan import Claim, duplicates, gateway, lan_causes, unjudged
from acceptance.evidence import Evidence
from acceptance.expectations import load_expectations
from acceptance.lan_claims import arp_question, causes_on_the_lan, claims, gateway_of, pods_range
from acceptance.problems import Problem
from acceptance.report import causes
from acceptance.shell import LocalShell
from tests.lan_with_two_of_one_address import GATEWAY, MACS, NOBODY, POD, lan

__all__ = ["lan"]


def test_everybody_who_answers_is_told(lan: int) -> None:
    question = ArpQuestion(
        ("nsenter", "-t", str(lan), "-n"), IPv4Address("172.31.0.100"), (GATEWAY, POD, NOBODY)
    )
    assert question.ask(LocalShell()) == {
        GATEWAY: frozenset(MACS[:1]),
        POD: frozenset(MACS),
        NOBODY: frozenset(),
    }


def test_who_cannot_ask_says_why() -> None:
    answer = ArpQuestion((), IPv4Address("192.0.2.1"), (GATEWAY,)).ask(LocalShell())
    assert isinstance(answer, Problem)


def test_a_silent_gateway() -> None:
    assert gateway({GATEWAY: frozenset(MACS[:1])}, GATEWAY) == []
    (text,) = gateway({GATEWAY: frozenset()}, GATEWAY)
    assert text.startswith("the gateway 172.31.0.2 of the underlay is silent")


def test_an_address_that_is_there_twice() -> None:
    claim = Claim("probe-k8s-node2", "k8s-node2", POD, frozenset(MACS[:1]))
    assert duplicates({POD: frozenset(MACS[:1])}, [claim]) == []
    assert duplicates({POD: frozenset()}, [claim]) == []
    assert duplicates({POD: frozenset(MACS)}, [claim]) == [
        "the address 172.31.6.5 of pod probe-k8s-node2 on k8s-node2 is there twice on the LAN:"
        " 02:00:00:00:00:02 answers for it too, which is neither the pod nor its node"
    ]


def test_whose_mac_is_not_known_is_not_judged(healthy: Evidence) -> None:
    silent = replace(healthy, facts={**healthy.facts, "k8s-node2": Problem("kex_exchange_identification")})
    unknown = [claim for claim in claims(silent) if claim.macs is None]
    assert {claim.node for claim in unknown} == {"k8s-node2"}
    assert duplicates({claim.address: frozenset(MACS) for claim in unknown}, unknown) == []
    assert unjudged(claims(healthy)) == []
    (text,) = unjudged(unknown)
    assert text == (
        f"who answers for the address {unknown[0].address} of pod {unknown[0].pod} is not judged:"
        " k8s-node2 did not tell the pod's MAC address"
    )


def test_without_somebody_to_ask_nothing_is_known() -> None:
    assert lan_causes(None, GATEWAY, ()) == ()
    assert lan_causes({}, None, ()) == ()
    assert lan_causes(Problem("no shell"), GATEWAY, ()) == ()


def test_the_lan_host_asks_for_the_gateway_and_for_pods_of_the_underlay(healthy: Evidence) -> None:
    question = arp_question(healthy)
    assert question is not None
    assert question.targets == (GATEWAY, *(claim.address for claim in claims(healthy)))
    assert len(claims(healthy)) == 4
    nic = healthy.inventory.nic(healthy.inventory.node("k8s-node1"), "underlay")
    assert nic is not None
    assert all(claim.macs and nic.mac in claim.macs for claim in claims(healthy) if claim.node == "k8s-node1")


def test_what_is_wrong_on_the_lan_is_a_cause_of_every_failure(healthy: Evidence) -> None:
    silent = replace(healthy, arp={GATEWAY: frozenset()})
    assert causes_on_the_lan(replace(healthy, arp={GATEWAY: frozenset(MACS)})) == ()
    assert "cause: the gateway 172.31.0.2 of the underlay is silent" in causes(silent, ("k8s-node1",))


def test_a_lab_without_a_lan_host_has_nobody_to_ask(healthy: Evidence) -> None:
    alone = replace(healthy, inventory=healthy.inventory.model_copy(update={"lan_host": None}))
    assert (gateway_of(alone), arp_question(alone)) == (None, None)


def test_a_machine_that_has_the_addresses_of_pods_that_did_not_start(healthy: Evidence) -> None:
    question = arp_question(replace(healthy, pod_problems={"probe": Problem("pod ip duplicated")}))
    assert question is not None
    assert len(set(question.targets)) == 1 + 254
    stranger, pod = "02:00:00:00:00:09", "02:00:00:00:00:05"
    node = healthy.inventory.nodes[0].nics[0].mac
    answers = {
        IPv4Address("172.31.6.40"): frozenset({stranger}),
        IPv4Address("172.31.6.41"): frozenset({stranger, node}),
        IPv4Address("172.31.6.42"): frozenset({node}),
        IPv4Address("172.31.6.43"): frozenset({pod}),
    }
    assert causes_on_the_lan(replace(healthy, arp={GATEWAY: frozenset(MACS), **answers})) == (
        f"a machine of the LAN ({stranger}), which is no node, answers for 2 addresses"
        " of the pods' range 172.31.6.1-172.31.6.254",
    )


def test_where_pods_are_not_on_the_lan_nobody_asks_for_their_range(healthy: Evidence) -> None:
    overlay = replace(
        healthy, expectations=load_expectations("flannel-vxlan", {}), pod_problems={"probe": Problem("x")}
    )
    assert pods_range(overlay) is None
