"""The coursework to the letter: its files, applied as a student does, and its pods as it wanted them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from acceptance.clearing import REMOVE_SECONDS
from acceptance.coursework import CURL, HTTP_PORT, Coursework, Tomcat
from acceptance.evidence import Evidence
from acceptance.expectations import Expectations
from acceptance.inventory import Inventory, Node
from acceptance.patience import Patience
from acceptance.rounds import RoundLimits
from acceptance.shell import SshConnections

APPLY_SECONDS = 120
"""How long the API server may take to accept the files."""
RULES_SECONDS = 60
"""How long kube-proxy may take to have the rules of a new Service."""
KINDS = ("overlay", "underlay")


@pytest.fixture(scope="module")
def coursework(
    inventory: Inventory,
    expectations: Expectations,
    ssh: SshConnections,
    patience: Patience,
    evidence: Evidence,
) -> Iterator[Coursework]:
    """Applied when the rest was looked at: where a pod does not start, it is known why."""
    if {group.group for group in expectations.groups} != set(KINDS):
        pytest.skip("the coursework's pods need a mode that has overlay and underlay")
    made = Coursework(inventory, ssh)
    try:
        made.apply(patience.limit(APPLY_SECONDS))
        yield made
    finally:
        made.remove(patience.limit(REMOVE_SECONDS))


@pytest.fixture(scope="module")
def tomcats(coursework: Coursework, patience: Patience) -> Mapping[str, Tomcat]:
    return coursework.wait(patience.pods)


@pytest.fixture
def limits(patience: Patience) -> RoundLimits:
    return RoundLimits(stretch=patience.limit)


def test_addresses(tomcats: Mapping[str, Tomcat], inventory: Inventory) -> None:
    """The underlay pod has an address of the underlay's pod range, the overlay pod one of the pod CIDR."""
    underlay = inventory.underlay
    assert underlay is not None
    assert underlay.pod_range is not None
    assert tomcats["underlay"].address in underlay.pod_range
    assert tomcats["overlay"].address in inventory.kubernetes.pod_cidr


def test_the_lan_reaches_the_underlay_pod(tomcats: Mapping[str, Tomcat], coursework: Coursework) -> None:
    """At its own address, which the LAN finds by ARP at the pod's node; nothing translates in between."""
    tomcat = tomcats["underlay"]
    answer = coursework.from_lan_host(f"http://{tomcat.address}:{HTTP_PORT}/")
    assert answer.stdout.strip() == tomcat.page, answer.reason
    node = coursework.node_of(tomcat)
    macs = {nic.mac for nic in node.nics}
    assert coursework.neighbour(tomcat.address) in macs, f"the LAN finds it elsewhere than at {node.name}"


def test_the_lan_does_not_reach_the_overlay_pod(
    tomcats: Mapping[str, Tomcat], coursework: Coursework, limits: RoundLimits
) -> None:
    """Its questions stay without an answer while the underlay pod answers: else silence proves nothing."""
    urls = {kind: f"http://{tomcats[kind].address}:{HTTP_PORT}/" for kind in KINDS}
    turns = limits.turns()
    while turns.another():
        seen = coursework.answers_to_lan_host(urls)
        if seen["overlay"].answered or (seen["overlay"].silent and seen["underlay"].answered):
            break
    overlay, underlay = seen["overlay"], seen["underlay"]
    assert underlay.answered, f"the underlay pod gave no answer meanwhile: {underlay.error}"
    assert overlay.silent, f"{overlay.outcome}: {overlay.body or overlay.error}"


@pytest.mark.parametrize("kind", KINDS)
def test_node_port(
    node: Node, kind: str, tomcats: Mapping[str, Tomcat], coursework: Coursework, patience: Patience
) -> None:
    """The Service's port on every node leads from the LAN to the pod."""
    tomcat = tomcats[kind]
    url = f"http://{node.internal_address}:{tomcat.node_port}/"
    answer = coursework.page_from_lan_host(url, tomcat.page, patience.limit(RULES_SECONDS))
    assert answer.stdout.strip() == tomcat.page, answer.reason


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_pod_reaches(
    kind: str, tomcats: Mapping[str, Tomcat], coursework: Coursework, inventory: Inventory
) -> None:
    """The API at its service (the coursework's 172.31.5.1:443), DNS, and the LAN, which sees who asks."""
    lan, tomcat = inventory.lan_host, tomcats[kind]
    assert lan is not None
    api = f"https://{inventory.kubernetes.api_service_address}:443/version"
    seen = coursework.in_pod(
        tomcat,
        {
            "api": f"{CURL} --insecure --output /dev/null --write-out '%{{http_code}}' {api}",
            "lan": f"{CURL} http://{lan.address}:{lan.http_port}/clientip",
        },
    )
    assert seen["api"].stdout.strip() in ("200", "401", "403"), f"{api}: {seen['api'].reason}"
    resolved = {line.split()[0] for line in seen["dns"].stdout.splitlines() if line.strip()}
    assert resolved == {str(inventory.kubernetes.api_service_address)}, seen["dns"].reason
    source = seen["lan"].stdout.rpartition(":")[0]
    wanted = (
        tomcat.address if kind == "underlay" else _underlay_address(coursework.node_of(tomcat), inventory)
    )
    assert source == str(wanted), f"the LAN host saw {source or seen['lan'].reason}"


def _underlay_address(node: Node, inventory: Inventory) -> str:
    nic = inventory.nic(node, "underlay")
    assert nic is not None
    return str(nic.address.ip)
