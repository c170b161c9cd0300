"""The door out of a lab: opened, closed and looked at."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from lab.doors.outside import Opening, require_programs
from lab.doors.proxies import Proxies
from lab.doors.tied_door import Condition
from lab.foundation.errors import WrongUseError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import Progress, SilentProgress, StepContext
from lab.operations.context import Lab
from lab.operations.doors.node_proxies import NodeProxies, withdraw_proxies
from lab.operations.status import OutsideRow, outside_row
from lab.operations.steps import run_steps
from lab.state.records import locked, now
from lab.topology.plan import Plan


@dataclass(frozen=True)
class OutsideRequest:
    """How the door out is to be open."""

    networks: tuple[str, ...] = ()
    """From which one may leave; the uplink when it is empty."""
    allow_host: bool = False
    allow_lan: bool = False
    proxies: Proxies = field(default_factory=Proxies.of_host)
    """Those of the host, which are offered to nodes."""


@dataclass(frozen=True)
class DoorOut:
    """The door open in the way that is wanted; without a wish, in the way that it was, or as by default."""

    wanted: OutsideRequest | None = None
    name = "door out"

    def done(self, lab: Lab) -> bool:
        way_out = lab.way_out
        return way_out.condition is Condition.OPEN and self._wish(lab) == _opened(way_out.opening)

    def run(self, lab: Lab, at: StepContext) -> None:
        wish = self._wish(lab)
        before = lab.way_out.opening
        opening = lab.way_out.open(
            lab.plan,
            wish.networks,
            allow_host=wish.allow_host,
            allow_lan=wish.allow_lan,
            found=wish.proxies,
            now=now(),
        )
        for refused in opening.refused:
            lab.progress.note(refused)
        if before is not None and not opening.proxies:
            withdraw_proxies(lab, before.proxies)

    def _wish(self, lab: Lab) -> OutsideRequest:
        wish = self.wanted or _opened(lab.way_out.opening)
        return replace(wish, networks=_networks(lab.plan, wish.networks))


def open_outside(folder: LabFolder, request: OutsideRequest, progress: Progress) -> OutsideRow:
    """Open it, mend it, or open it in another way; nothing to do when it is open like that.

    Raises WrongUseError for a network that the lab has not, LabError when a program is not installed or the
    lab does not run.
    """
    require_programs()
    with locked(folder):
        lab = Lab.open(folder, progress)
        lab.require_awake()
        run_steps(lab, (DoorOut(request), NodeProxies()))
        return outside_row(lab.way_out)


def close_outside(folder: LabFolder) -> bool:
    """Close it, and remove whatever is left of it; whether it was open."""
    with locked(folder):
        lab = Lab.open(folder, SilentProgress())
        opening = lab.way_out.opening
        lab.way_out.close()
        if opening is not None:
            withdraw_proxies(lab, opening.proxies)
        return opening is not None


def outside_status(folder: LabFolder) -> OutsideRow:
    return outside_row(Lab.open(folder, SilentProgress()).way_out)


def _opened(opening: Opening | None) -> OutsideRequest:
    if opening is None:
        return OutsideRequest()
    return OutsideRequest(opening.networks, opening.allow_host, opening.allow_lan, opening.found)


def _networks(plan: Plan, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """In the order of the plan."""
    names = wanted or (plan.uplink.name,)
    known = [network.name for network in plan.networks]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise WrongUseError(
            f"the lab has no network {', '.join(unknown)}", resolution=f"use one of: {', '.join(known)}"
        )
    return tuple(name for name in known if name in names)
