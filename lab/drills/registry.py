"""All drills there are."""

from __future__ import annotations

from difflib import get_close_matches

from lab.drills.backup import BACKUP_DRILLS
from lab.drills.drill import Drill
from lab.drills.nodes import NODE_DRILLS
from lab.drills.static_pods import STATIC_POD_DRILLS
from lab.drills.upkeep import UPKEEP_DRILLS
from lab.foundation.errors import WrongUseError

DRILLS = (*NODE_DRILLS, *STATIC_POD_DRILLS, *BACKUP_DRILLS, *UPKEEP_DRILLS)


def drill_named(name: str) -> Drill:
    """The drill of that name. Raises WrongUseError that lists the drills."""
    for drill in DRILLS:
        if drill.name == name:
            return drill
    names = [drill.name for drill in DRILLS]
    near = get_close_matches(name, names, n=1)
    raise WrongUseError(
        f"there is no drill {name}",
        details=f"did you mean {near[0]}?" if near else None,
        resolution=f"use one of: {', '.join(names)}",
    )
