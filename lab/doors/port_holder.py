"""Which process of the host listens at a port, as /proc tells: proc_pid_net(5), proc_pid_fd(5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TABLES = ("tcp", "tcp6")
LISTENS = "0A"
"""TCP_LISTEN in the kernel's include/net/tcp_states.h, in hexadecimal."""
# Columns of the tables.
LOCAL, STATE, INODE = 1, 3, 9


@dataclass(frozen=True)
class PortHolder:
    pid: int
    program: str

    def __str__(self) -> str:
        return f"{self.program} (process {self.pid})"


def holder_of(port: int, proc: Path = Path("/proc")) -> PortHolder | None:
    """Who listens at that TCP port; None when nobody does, or nobody whom this user may look at."""
    wanted = {f"socket:[{inode}]" for inode in _inodes(port, proc)}
    if not wanted:
        return None
    for process in (each for each in proc.iterdir() if each.name.isdecimal()):
        try:
            if any(str(file.readlink()) in wanted for file in (process / "fd").iterdir()):
                return PortHolder(int(process.name), (process / "comm").read_text(encoding="utf-8").strip())
        except OSError:  # gone meanwhile, or another user's
            continue
    return None


def _inodes(port: int, proc: Path) -> Iterator[str]:
    for table in TABLES:
        try:
            lines = (proc / "self" / "net" / table).read_text(encoding="utf-8").splitlines()[1:]
        except FileNotFoundError:  # a host without IPv6
            continue
        for fields in map(str.split, lines):
            if fields[STATE] == LISTENS and int(fields[LOCAL].rpartition(":")[2], 16) == port:
                yield fields[INODE]
