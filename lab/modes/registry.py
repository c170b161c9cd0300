"""All modes there are."""

from __future__ import annotations

from difflib import get_close_matches

from lab.foundation.errors import WrongUseError
from lab.modes.bridge import BRIDGE_MODE
from lab.modes.calico import CALICO_MODES
from lab.modes.flannel import FLANNEL_MODES
from lab.modes.hybridnet import HYBRIDNET
from lab.modes.ipvlan_l2 import IPVLAN_L2
from lab.modes.ipvlan_l3s import IPVLAN_L3S
from lab.modes.macvlan import MACVLAN
from lab.modes.mode import Mode
from lab.modes.routed import ROUTED

MODES = (HYBRIDNET, *FLANNEL_MODES, *CALICO_MODES, MACVLAN, IPVLAN_L2, IPVLAN_L3S, BRIDGE_MODE, ROUTED)


def mode_names() -> tuple[str, ...]:
    return tuple(mode.name for mode in MODES)


def mode_named(name: str) -> Mode:
    """The mode of that name. Raises WrongUseError that lists the modes."""
    for mode in MODES:
        if mode.name == name:
            return mode
    near = get_close_matches(name, mode_names(), n=1)
    raise WrongUseError(
        f"there is no mode {name}",
        details=f"did you mean {near[0]}?" if near else None,
        resolution=f"use one of: {', '.join(mode_names())}",
    )
