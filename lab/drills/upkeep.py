"""Drills of what keeps a cluster going for years: a machine that is replaced, certificates that run out."""

from __future__ import annotations

from lab.drills.drill import Before, Course, Drill, Found, Ground, nothing
from lab.drills.judgement import Held, Judgement
from lab.drills.observation import Row
from lab.topology.plan import NodePlan

Nodes = tuple[NodePlan, ...]


def _none_wrong(claim: str, found: Found) -> Judgement:
    because = "; ".join(found.wrong) or found.looked_at
    return Judgement(claim, Held.NO if found.wrong else Held.YES, because)


def _switch_off(ground: Ground, nodes: Nodes) -> None:
    for node in nodes:
        ground.machines.power_off(node.name)


def _replace(ground: Ground, nodes: Nodes) -> None:
    for node in nodes:
        found = ground.works.replace(node)
        claim = "between its removal and its return no file, object or member of etcd names it"
        ground.claim(_none_wrong(claim, found))


def _is_off(row: Row, before: Before, nodes: Nodes) -> bool:
    return all(row.members[node.name].failed and row.servers[node.name].failed for node in nodes)


def _one_to_replace(before: Before) -> Nodes:
    """Who has the API's address; with `local-nginx` another than the first, by which users find the API."""
    front = before.front
    if front.internal_address == before.plan.kubernetes.api.address:
        return (before.others(front.name)[0],)
    return (front,)


def _renew(ground: Ground, nodes: Nodes) -> None:
    found = ground.works.renew()
    ground.claim(_none_wrong("every port serves another certificate than before", found))


def _let_expire(ground: Ground, nodes: Nodes) -> None:
    for node in nodes:
        ground.works.let_expire(node)
    found = ground.works.expired()
    claim = "`lab status` says whose certificate ran out, where, and since when"
    missed = [node.name for node in nodes if not any(f" on {node.name} " in said for said in found.wrong)]
    because = f"nothing of {', '.join(missed)}" if missed else "; ".join(found.wrong)
    ground.claim(Judgement(claim, Held.NO if missed else Held.YES, because))


def _put_back(ground: Ground, nodes: Nodes) -> None:
    for node in nodes:
        ground.works.put_back(node)
    ground.claim(_none_wrong("afterwards no port serves one that ran out", ground.works.expired()))


UPKEEP_DRILLS = (
    Drill(
        "replace",
        "a control plane loses its power for good, is forgotten, and a new machine takes its place",
        aim=_one_to_replace,
        injure=_switch_off,
        heal=_replace,
        shows=_is_off,
        detection=lambda configured: configured.node_gone,
        takes_nodes=True,
    ),
    Drill(
        "renew-certificates",
        "all certificates are renewed, and all programs started again, one control plane after the other",
        aim=lambda before: before.plan.control_planes,
        injure=_renew,
        heal=nothing,
        shows=None,
        detection=lambda configured: configured.member_gone,
    ),
    Drill(
        "expire",
        "the certificate of an API server runs out",
        aim=lambda before: (before.front,),
        injure=_let_expire,
        heal=_put_back,
        shows=None,
        detection=lambda configured: configured.refusing,
        course=Course.LASTS,
    ),
)
