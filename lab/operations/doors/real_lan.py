"""The door of a lab to a real LAN: opened, closed and looked at."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from lab.doors.lan import RealLan
from lab.doors.tied_door import Condition
from lab.foundation.paths import LabFolder
from lab.foundation.progress import Progress, SilentProgress, StepContext
from lab.operations.context import Lab
from lab.operations.steps import run_steps
from lab.state.records import locked, now


@dataclass(frozen=True)
class LanRow:
    """The door to a LAN; `state` says whether it is open."""

    state: str
    device: str = ""
    """Of this host, which is a port of the network."""
    network: str = ""
    since: str = ""
    """UTC, ISO 8601."""
    broken: str = ""
    """What of it is not there any more."""

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


CLOSED_LAN = LanRow(Condition.CLOSED)


@dataclass(frozen=True)
class LanOpen:
    """The device as a port of the underlay."""

    device: str
    name = "door to the LAN"

    def done(self, lab: Lab) -> bool:
        opening = lab.real_lan.opening
        return opening is not None and opening.device == self.device and not lab.real_lan.broken

    def run(self, lab: Lab, at: StepContext) -> None:
        at.doing(f"looking for addresses of the lab on the LAN of {self.device}")
        lab.real_lan.open(lab.plan, self.device, now())


def open_lan(folder: LabFolder, device: str, progress: Progress) -> LanRow:
    """Open or mend it; nothing to do when it is open with that device.

    Raises WrongUseError for a device that cannot be a port, LabError about addresses that are taken there,
    and when the lab is not up.
    """
    with locked(folder):
        lab = Lab.open(folder, progress)
        lab.require_up()
        lab.require_own_keys()
        run_steps(lab, (LanOpen(device),))
        return lan_row(lab.real_lan)


def close_lan(folder: LabFolder) -> bool:
    """Close it, and remove whatever is left of it; whether it was open."""
    with locked(folder):
        door = Lab.open(folder, SilentProgress()).real_lan
        was_open = door.opening is not None
        door.close()
        return was_open


def lan_status(folder: LabFolder) -> LanRow:
    return lan_row(Lab.open(folder, SilentProgress()).real_lan)


def lan_row(door: RealLan) -> LanRow:
    opening = door.opening
    if opening is None:
        return CLOSED_LAN
    return LanRow(door.condition, opening.device, opening.network, opening.since, door.broken)
