"""Where a fault goes in a plan, and whether it means anything there."""

from __future__ import annotations

import difflib

from lab.faults.fault import Fault, Scope
from lab.foundation.errors import WrongUseError
from lab.modes.registry import mode_named
from lab.topology.models import NodeRole
from lab.topology.plan import NodePlan, Plan


def require_fit(fault: Fault, plan: Plan) -> None:
    """Raises WrongUseError where the fault means nothing in the plan's mode."""
    if why := fault.unfit(plan, mode_named(plan.mode)):
        raise WrongUseError(
            f"the fault {fault.name} does not apply in mode {plan.mode}: {why}",
            resolution="lab fault list shows those that do",
        )


def target_of(fault: Fault, name: str | None, plan: Plan) -> NodePlan:
    """The node of that name, or by default the last worker, for faults that are on no one node too.

    Raises WrongUseError for a node that there is not or that cannot have the fault.
    """
    able = [node for node in plan.nodes if fault.only in (None, node.role)]
    if fault.scope is not Scope.NODE:
        if name is not None:
            raise WrongUseError(
                f"the fault {fault.name} applies to {fault.scope}, not to one node",
                resolution="leave --node out",
            )
        return plan.nodes[-1]
    if not able:
        raise WrongUseError(
            f"the fault {fault.name} needs a {fault.only}, and the lab has none",
            resolution=f"use a topology with a {fault.only}",
        )
    if name is None:
        workers = [node for node in able if node.role is NodeRole.WORKER]
        return (workers or able)[-1]
    for node in able:
        if node.name == name:
            return node
    names = [node.name for node in able]
    near = difflib.get_close_matches(name, names, n=1)
    raise WrongUseError(
        f"the fault {fault.name} cannot be injected on the node {name}",
        details=f"did you mean {near[0]}?" if near else None,
        resolution=f"use one of: {', '.join(names)}",
    )
