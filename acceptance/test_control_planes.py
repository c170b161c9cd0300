"""Several control planes: the API by every way to it, what is served, etcd, and who has the common address.

Nothing here is collected for a lab with one control plane.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from acceptance.control_planes import (
    COMPONENTS,
    LOCAL_PROXY,
    SERVER_PORT,
    Certificate,
    EtcdSight,
    PlaneSight,
    content_hashes,
    endpoint_on_nodes,
    look,
    planes_of,
)
from acceptance.inventory import Inventory, Node
from acceptance.problems import Problem
from acceptance.report import SEEN, Record
from acceptance.shell import Shell, SshConnections

Shells = Mapping[str, Shell]
Sights = Mapping[str, PlaneSight | Problem]


@pytest.fixture(scope="session")
def shells(inventory: Inventory, ssh: SshConnections) -> Shells:
    return {node.name: ssh.to(node.name) for node in planes_of(inventory)}


@pytest.fixture(scope="session")
def sights(inventory: Inventory, shells: Shells) -> Sights:
    """What every control plane said, asked once."""
    return look(inventory, shells)


def _seen(sights: Sights, name: str) -> PlaneSight:
    sight = sights[name]
    if isinstance(sight, Problem):
        pytest.fail(f"{name} could not be asked: {sight}", pytrace=False)
    return sight


def _etcd(sights: Sights, name: str) -> EtcdSight:
    etcd = _seen(sights, name).etcd
    if isinstance(etcd, Problem):
        pytest.fail(f"etcd on {name} does not answer: {etcd}", pytrace=False)
    return etcd


def test_api_by_every_way(control_plane: Node, sights: Sights) -> None:
    """The load balancer and each API server by itself, from every control plane."""
    ways = _seen(sights, control_plane.name).ways
    assert {way: reason for way, reason in ways.items() if reason} == {}


def test_served_certificate(control_plane: Node, sights: Sights) -> None:
    """What the API server serves, not what lies on the disk, is good for each name and address of all."""
    names = _seen(sights, control_plane.name).names
    wrong = {name: reason for name, reason in names.items() if reason}
    what = "the certificate that the API server serves on"
    assert not wrong, f"{what} {control_plane.name} is not good for {', '.join(wrong)}: {wrong}"


def test_certificates_in_force(control_plane: Node, sights: Sights, record_property: Record) -> None:
    """Of every port on which a program of the cluster serves TLS."""
    name, shown = control_plane.name, _seen(sights, control_plane.name).certificates
    problems = {where: str(found) for where, found in shown.items() if isinstance(found, Problem)}
    assert not problems, f"on {name}: {problems}"
    certificates = {where: found for where, found in shown.items() if isinstance(found, Certificate)}
    record_property(SEEN, ", ".join(f"{where}: {found.serial}" for where, found in certificates.items()))
    now = datetime.now(UTC)
    over = [
        f"{where} on {name} serves a certificate that ran out at {found.ends:%Y-%m-%d %H:%M:%S} UTC,"
        f" {(now - found.ends).total_seconds():.0f} s ago (serial {found.serial})"
        for where, found in certificates.items()
        if found.ends <= now
    ]
    assert not over, "; ".join(over)


def test_components_use_the_load_balancer(
    control_plane: Node, sights: Sights, inventory: Inventory, record_property: Record
) -> None:
    """As their connections are: a component that goes to one server by itself stays with it when it dies."""
    wanted, peers = endpoint_on_nodes(inventory), _seen(sights, control_plane.name).peers
    wrong = {name: sorted(to) for name, to in peers.items() if to != {wanted}}
    assert not wrong, f"on {control_plane.name}, expected {wanted}: {wrong}"
    record_property(SEEN, f"{', '.join(name for name in COMPONENTS if name in peers)}: {wanted}")
    assert "kubelet" in peers, f"kubelet on {control_plane.name} has no connection to the API"


def test_load_balancer_leads_to_api_servers(
    control_plane: Node, sights: Sights, inventory: Inventory, record_property: Record
) -> None:
    """Each server that it is told of is asked for the API, whatever its own checks say; and it knows all."""
    name, servers = control_plane.name, _seen(sights, control_plane.name).servers
    record_property(SEEN, ", ".join(servers))
    silent = {server: reason for server, reason in servers.items() if reason}
    assert not silent, f"the load balancer on {name} leads to {', '.join(silent)}, where no API is: {silent}"
    all_servers = {f"{node.internal_address}:{SERVER_PORT}" for node in planes_of(inventory)}
    lacking = sorted(all_servers - servers.keys())
    assert not lacking, f"the load balancer on {name} does not lead to {', '.join(lacking)}"


def test_no_other_has_its_address(control_plane: Node, sights: Sights, inventory: Inventory) -> None:
    """Who has the API's address is alone with it."""
    address, name = inventory.kubernetes.api_address, control_plane.name
    if inventory.kubernetes.load_balancer == LOCAL_PROXY or not _seen(sights, name).has_common_address:
        return
    others = [
        other
        for other, sight in sights.items()
        if other != name and isinstance(sight, PlaneSight) and sight.has_common_address
    ]
    assert not others, (
        f"{address} is on {name} and on {', '.join(others)}: they do not hear each other's VRRP"
    )


def test_one_has_the_common_address(inventory: Inventory, sights: Sights, record_property: Record) -> None:
    if inventory.kubernetes.load_balancer == LOCAL_PROXY:
        return  # each node has its own
    holders = [name for name in sights if _seen(sights, name).has_common_address]
    record_property(SEEN, ", ".join(holders))
    assert len(holders) == 1, f"{inventory.kubernetes.api_address} is on {', '.join(holders) or 'no node'}"


def test_etcd_members(control_plane: Node, sights: Sights) -> None:
    """Every control plane has one that has been started, and nobody else."""
    members = sorted(_etcd(sights, control_plane.name).members.values())
    assert members == sorted(sights), f"etcd on {control_plane.name} knows the members {members}"


def test_etcd_leader(sights: Sights, record_property: Record) -> None:
    """All members follow the same one."""
    seen = {name: _etcd(sights, name) for name in sights}
    said = {name: (etcd.members.get(etcd.leader, "nobody"), etcd.term) for name, etcd in seen.items()}
    leaders = set(said.values())
    record_property(SEEN, ", ".join(f"{leader} in term {term}" for leader, term in sorted(leaders)))
    assert len(leaders) == 1, f"leader and term as the members say: {said}"
    assert next(iter(leaders))[0] in sights


def test_etcd_alarms(control_plane: Node, sights: Sights) -> None:
    assert _etcd(sights, control_plane.name).alarms == ()


def test_etcd_content_is_the_same(sights: Sights, shells: Shells) -> None:
    """Compared at one revision that all members have."""
    hashes = content_hashes(sights, shells)
    problems = {name: str(found) for name, found in hashes.items() if isinstance(found, Problem)}
    assert not problems
    assert len(set(hashes.values())) == 1, f"hashes of all keys: {hashes}"
