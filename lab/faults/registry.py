"""All faults there are."""

from __future__ import annotations

from difflib import get_close_matches

from lab.faults.cluster import CLUSTER_FAULTS
from lab.faults.control_planes import CONTROL_PLANE_FAULTS
from lab.faults.fault import Fault
from lab.faults.firewall import FIREWALL_FAULTS
from lab.faults.kernel import KERNEL_FAULTS
from lab.faults.lan import LAN_FAULTS
from lab.faults.link import LINK_FAULTS
from lab.faults.machine import MACHINE_FAULTS
from lab.faults.nic import NIC_FAULTS
from lab.faults.programs import PROGRAM_FAULTS
from lab.faults.routes import ROUTE_FAULTS
from lab.foundation.errors import WrongUseError

FAULTS = (
    *NIC_FAULTS,
    *LINK_FAULTS,
    *FIREWALL_FAULTS,
    *KERNEL_FAULTS,
    *ROUTE_FAULTS,
    *PROGRAM_FAULTS,
    *CLUSTER_FAULTS,
    *LAN_FAULTS,
    *MACHINE_FAULTS,
    *CONTROL_PLANE_FAULTS,
)


def fault_named(name: str) -> Fault:
    """The fault of that name. Raises WrongUseError that lists the faults."""
    for fault in FAULTS:
        if fault.name == name:
            return fault
    names = [fault.name for fault in FAULTS]
    near = get_close_matches(name, names, n=1)
    raise WrongUseError(
        f"there is no fault {name}",
        details=f"did you mean {near[0]}?" if near else None,
        resolution=f"use one of: {', '.join(names)}",
    )
