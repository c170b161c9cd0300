"""What a node says about itself as a machine: its disk, its clock, its reverse path filters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from acceptance.shell import Command, Output

MACHINE_COMMANDS = (
    Command("disk", "df --output=avail,size --block-size=1 / | tail -n 1"),
    Command("clock", "date +%s.%N"),
    Command(
        "rp-filters",
        'for file in /proc/sys/net/ipv4/conf/*/rp_filter; do read -r value <"$file";'
        ' device=${file%/*}; echo "${device##*/} $value"; done',
    ),
)


@dataclass(frozen=True)
class DiskSpace:
    """A file system, in bytes."""

    free: int
    """What programs may still write."""
    size: int


@dataclass(frozen=True)
class MachineFacts:
    """Each is None, or empty, when the node did not tell."""

    disk: DiskSpace | None = None
    """The file system at /."""
    clock_off: tuple[float, float] | None = None
    """Seconds by which the node's clock is ahead of this machine's, at least and at most."""
    rp_filters: Mapping[str, int] = field(default_factory=dict)
    """The setting rp_filter of each device, and of "all"."""

    def rp_filter(self, device: str) -> int:
        """What holds for a device: the larger of its own setting and that for all (ip-sysctl.rst)."""
        return max(self.rp_filters.get(device, 0), self.rp_filters.get("all", 0))


def parse_machine(outputs: Mapping[str, Output], asked: tuple[float, float]) -> MachineFacts:
    """From the outputs of `MACHINE_COMMANDS`.

    `asked` are the moments when the node was asked and when it had answered, in seconds since the epoch.
    """
    return MachineFacts(
        parse_disk(outputs["disk"].stdout),
        parse_clock(outputs["clock"].stdout, asked),
        parse_rp_filters(outputs["rp-filters"].stdout),
    )


def parse_disk(text: str) -> DiskSpace | None:
    """From a line of `df --output=avail,size`."""
    words = text.split()
    return DiskSpace(int(words[0]), int(words[1])) if len(words) == 2 else None


def parse_clock(text: str, asked: tuple[float, float]) -> tuple[float, float] | None:
    """From `date +%s.%N`: the node read its clock after it was asked and before it had answered."""
    if not text.strip():
        return None
    seen, (before, after) = float(text), asked
    return seen - after, seen - before


def parse_rp_filters(text: str) -> dict[str, int]:
    """From lines of `DEVICE VALUE`."""
    pairs = (line.split() for line in text.splitlines())
    return {device: int(value) for device, value in pairs}
