"""What is wrong on this host and in the labs that run on it."""

from __future__ import annotations

from collections.abc import Sequence

from lab.foundation.errors import LabError
from lab.foundation.paths import LabFolder
from lab.host.doctor import Finding
from lab.operations.software import host_findings
from lab.operations.status import lab_status
from lab.state.records import existing_labs


def findings() -> Sequence[Finding]:
    """The host's findings, then one for every lab that is up, in whose network this process ends."""
    of_host = host_findings()
    of_labs = [_of_lab(folder) for folder in existing_labs()]
    return (*of_host, *(found for found in of_labs if found is not None))


def _of_lab(folder: LabFolder) -> Finding | None:
    """None for a lab that is not up: nothing can be wrong in its cluster then."""
    try:
        status = lab_status(folder)
    except LabError:
        return None
    if status.state != "up":
        return None
    if status.exercise:
        said = f"the exercise {status.exercise} runs in it, so its cluster was not looked at"
        return Finding(f"lab {folder.name}", True, said)
    said = "\n       ".join(status.problems) or "nothing is wrong in its cluster"
    resolution = f"lab status --name {folder.name}; docs/troubleshooting.md"
    return Finding(f"lab {folder.name}", not status.problems, said, resolution)
