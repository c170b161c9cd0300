"""Processes of the host side that live no longer than a lab."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lab.foundation.errors import LabError
from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.host.daemon import last_words, start_daemon
from lab.host.process_identity import BOOT_ID, ProcessIdentity

START_LIMIT = 20.0
STOP_LIMIT = 10.0
# Records this process as ProcessIdentity does, then becomes the program. /proc is the host's, and has the
# host's numbers; of the fields of proc_pid_stat(5) the 22nd is the start.
_RECORD_AND_EXEC = f"""\
read -r stat < /proc/self/stat && read -r boot < {BOOT_ID} || exit
identity() {{ echo "$1 ${{22}} $boot"; }}
identity $stat > "$0"
exec "$@"
"""


def recorded(program: Sequence[str], record: Path) -> list[str]:
    """Words for `Site.hosted_command` or `tied_command`: `program`, which the lab's first process adopts.

    Its identity is in the file `record` before it begins.
    """
    # --fork hands the process over to the enclosure's init.
    return ["setsid", "--fork", "sh", "-c", _RECORD_AND_EXEC, str(record), *program]


def start_recorded(
    command: Sequence[str],
    record: Path,
    log: Path,
    *,
    files: Sequence[int] = (),
    env: Mapping[str, str] | None = None,
) -> ProcessIdentity:
    """Start what `recorded` made, with these open files and the environment that `start_daemon` says.

    Raises LabError with its last words if it ended.
    """
    record.unlink(missing_ok=True)
    start_daemon(command, log, files=files, env=env)

    def started() -> ProcessIdentity:
        identity = ProcessIdentity.read(record)
        if identity is None:
            raise NotYetError("its process has not reported")
        return identity

    return wait_for(
        started,
        what=f"start of {record.stem}",
        deadline=Deadline(START_LIMIT),
        interval=0.02,
        resolution=f"read {log}",
    )


def start_and_hear(command: Callable[[int], Sequence[str]], record: Path, log: Path, seconds: float) -> bool:
    """The same, for a program that writes a byte to a file when it works; whether it did so in time.

    `command` makes the words, given the number of that file.
    """
    ready, told = os.pipe()
    try:
        start_recorded(command(told), record, log, files=(told,))
    finally:
        os.close(told)
    with open(ready, "rb") as pipe:
        # At its end, which comes with the program's, there is nothing to read.
        seen, _, _ = select.select([pipe], [], [], seconds)
        return bool(seen and pipe.read(1))


def living(record: Path) -> ProcessIdentity | None:
    """The recorded process; None when it has ended, or none was recorded."""
    identity = ProcessIdentity.read(record)
    return identity if identity is not None and identity.alive else None


def end_recorded(record: Path) -> None:
    """End the recorded process and wait until it has ended; harmless when there is none."""
    identity = living(record)
    if identity is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(identity.pid, signal.SIGKILL)
        wait_for(
            lambda: _check_ended(identity),
            what=f"end of {record.stem}",
            deadline=Deadline(STOP_LIMIT),
            interval=0.02,
        )
    record.unlink(missing_ok=True)


def ended_at_once(program: str, log: Path) -> LabError:
    """The error for a program that did not come to work."""
    return LabError(
        f"{program} ended while it started", details=last_words(log) or None, resolution=f"read {log}"
    )


def _check_ended(identity: ProcessIdentity) -> None:
    if identity.alive:
        raise NotYetError(f"process {identity.pid} is still there")
