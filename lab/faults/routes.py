"""Faults of a node's routes to pods."""

from __future__ import annotations

from lab.faults.fault import Before, Fault, Site, peer_of
from lab.foundation.errors import LabError
from lab.modes.mode import Mode
from lab.modes.underlay import HOST_SHIM, SHIM
from lab.topology.plan import NodePlan, Plan


def _no_route_of_its_own(plan: Plan, mode: Mode) -> str:
    if not mode.routes_stay_away:
        return "its nodes need no routes to pods, or its daemon puts back those that are missing"
    if _by_shim(mode):
        return "" if mode.option(plan, HOST_SHIM.name) else "without the shim there are no routes to pods"
    return "" if len(plan.nodes) > 1 else "the topology has only one node"


def _by_shim(mode: Mode) -> bool:
    """Whether the routes that a node has to pods are those to its own, through the shim."""
    return mode.needs_underlay


def _routes_before(site: Site, node: NodePlan) -> Before:
    if _by_shim(site.mode):
        chosen = f"dev {SHIM}"
    else:
        peer = peer_of(node, site.plan)
        assert peer is not None, "Fault.unfit comes first"
        chosen = str(next(each.pod_block for each in site.api.nodes() if each.name == peer.name))
    routes = site.run(node, f"ip -4 route show {chosen}", "read the routes")
    if not routes:
        raise LabError(
            f"{node.name} has no route {chosen}, so none can be taken away",
            resolution=f"look with lab exec {node.name} -- ip route; lab rebuild puts a mode right",
        )
    # `show dev` leaves the device out, which `replace` must be told.
    device = chosen if _by_shim(site.mode) else ""
    return {"routes": "\n".join(f"{_as_told(route)} {device}".strip() for route in routes.splitlines())}


def _as_told(route: str) -> str:
    """A route as `ip` lists it, as `ip` takes it: without the flags that the kernel sets by itself."""
    return " ".join(word for word in route.split() if word not in ("linkdown", "dead", "offload", "trap"))


def _take_away(site: Site, node: NodePlan, before: Before) -> None:
    # One that is gone already is no error: the fault may have been half in.
    lines = [
        f'if [ -n "$(ip -4 route show {route.split()[0]})" ]; then ip -4 route delete {route}; fi'
        for route in before["routes"].splitlines()
    ]
    site.run(node, "\n".join(lines), "take the routes away")


def _put_back(site: Site, node: NodePlan, before: Before) -> None:
    lines = [f"ip -4 route replace {route}" for route in before["routes"].splitlines()]
    site.run(node, "\n".join(lines), "put the routes back")


ROUTE_FAULTS = (
    Fault(
        "route-missing",
        "a node has lost its route to the pods of another node, or through its shim to its own",
        _take_away,
        _put_back,
        remember=_routes_before,
        unfit=_no_route_of_its_own,
    ),
)
