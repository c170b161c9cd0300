"""Which process a recorded pid means: a pid alone may have been given to another process meanwhile."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.foundation.files import write_atomically

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# Fields of /proc/PID/stat after the command's closing parenthesis; in proc(5) state is the 3rd, starttime
# the 22nd of all.
STATE_FIELD = 0
START_FIELD = 19


@dataclass(frozen=True)
class ProcessIdentity:
    """One process of this boot of the host.

    `pid` is the number that the host sees; `start_ticks` its start, in clock ticks since boot.
    """

    pid: int
    start_ticks: int
    boot_id: str

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """The process that has this pid now; None when there is none, or only its remains.

        One whose first thread has ended, while others still hold its files, is there.
        """
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        if fields[STATE_FIELD] in ("Z", "X") and not _has_other_threads(pid):
            return None
        return cls(pid, int(fields[START_FIELD]), BOOT_ID.read_text(encoding="utf-8").strip())

    @classmethod
    def read(cls, path: Path) -> ProcessIdentity | None:
        """What `write` recorded there; None when nothing, or nothing readable, was."""
        try:
            pid, start_ticks, boot_id = path.read_text(encoding="utf-8").split()
            return cls(int(pid), int(start_ticks), boot_id)
        except (FileNotFoundError, ValueError):
            return None

    def write(self, path: Path) -> None:
        """Record this process; the pid is the first word, so that a shell can read it too."""
        write_atomically(path, f"{self.pid} {self.start_ticks} {self.boot_id}\n")

    @property
    def alive(self) -> bool:
        return ProcessIdentity.of(self.pid) == self

    @contextmanager
    def holding_namespace(self, kind: str) -> Iterator[str | None]:
        """The name that `namespace` gives, which no new namespace is given meanwhile.

        The kernel gives the number of a namespace that is gone to the next one; an open file keeps it.
        """
        try:
            file = os.open(f"/proc/{self.pid}/ns/{kind}", os.O_RDONLY)
        except (FileNotFoundError, ProcessLookupError):
            yield None
            return
        try:
            yield str(Path(f"/proc/self/fd/{file}").readlink())
        finally:
            os.close(file)

    def namespace(self, kind: str) -> str | None:
        """Name of the process's namespace of that kind (net, pid, mnt), as `net:[4026531840]`."""
        try:
            return str(Path(f"/proc/{self.pid}/ns/{kind}").readlink())
        except (FileNotFoundError, ProcessLookupError):
            return None


def _has_other_threads(pid: int) -> bool:
    try:
        return len(os.listdir(f"/proc/{pid}/task")) > 1
    except OSError:  # gone meanwhile
        return False


def shell_line(record: Path, refusal: str, line: str) -> str:
    """A line for a shell that runs `line` in the network namespace of the process in the record.

    It says `refusal` and ends with 255, as ssh does, unless that process is there: the shell's `alive`.
    """
    script = f"""\
{{ read -r pid ticks boot <{record} && read -r now <{BOOT_ID} && read -r stat </proc/$pid/stat; }} 2>/dev/null
set -- ${{stat##*) }}
[ "$pid" ] && [ "$boot $ticks" = "$now ${{{START_FIELD + 1}}}" ] || {{ echo "{refusal}" >&2; exit 255; }}
exec nsenter --net=/proc/$pid/ns/net {line}"""
    return f"sh -c {shlex.quote('; '.join(script.splitlines()))}"


def processes_in(namespace: str, kind: str) -> tuple[int, ...]:
    """The pids, as this process sees them, of all living processes in a namespace."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    found = []
    for pid in pids:
        try:
            if str(Path(f"/proc/{pid}/ns/{kind}").readlink()) == namespace:
                found.append(pid)
        except OSError:  # gone meanwhile, or out of this user's sight and so not in a lab's namespace
            continue
    return tuple(found)
