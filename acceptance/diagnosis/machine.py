"""A node as a machine: its clock and its disk."""

from __future__ import annotations

from acceptance.diagnosis.subject import Subject

CLOCK_SECONDS = 10.0
"""By how much a node's clock may differ from that of this machine."""

LEAST_FREE = 0.05
"""The share of a disk that must be free."""

GIB = 2**30


def clock(subject: Subject) -> list[str]:
    """Does the node know what time it is? It is later than asked and earlier than answered, here."""
    off = subject.facts.machine.clock_off
    if off is None:
        return []
    least, most = off
    if least > CLOCK_SECONDS:
        return [f"the clock of {subject.node.name} is {least:.0f} s or more ahead of this machine's"]
    if most < -CLOCK_SECONDS:
        return [f"the clock of {subject.node.name} is {-most:.0f} s or more behind this machine's"]
    return []


def disk(subject: Subject) -> list[str]:
    space = subject.facts.machine.disk
    if space is None or space.free >= LEAST_FREE * space.size:
        return []
    return [
        f"the disk of {subject.node.name} is full: {space.free / GIB:.2f} of {space.size / GIB:.1f} GiB"
        " are free at /"
    ]
