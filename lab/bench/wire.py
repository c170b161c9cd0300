"""What passes the NICs of a node."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lab.foundation.process import run

READ = ("ip", "-s", "-j", "link")
LIMIT = 60.0


@dataclass(frozen=True)
class Passed:
    """Frames in both directions, and their bytes with Ethernet's headers."""

    octets: int
    frames: int

    def __sub__(self, other: Passed) -> Passed:
        return Passed(self.octets - other.octets, self.frames - other.frames)


def read_passed(command: Sequence[str], devices: Collection[str]) -> Passed:
    """What these devices have counted since they are there; `command` runs READ in their namespace."""
    said = run(command, timeout=LIMIT).stdout
    counts = [
        link["stats64"][way] for link in json.loads(said) if link["ifname"] in devices for way in ("rx", "tx")
    ]
    return Passed(sum(each["bytes"] for each in counts), sum(each["packets"] for each in counts))
