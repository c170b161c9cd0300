"""The forwards of a lab, on disk: written when a port listens, worth nothing once its process has ended."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from lab.foundation.journal import JOURNAL
from lab.foundation.json_file import write_json
from lab.foundation.paths import LabFolder
from lab.foundation.strict import STRICT
from lab.foundation.wait import Deadline, NotYetError, TimedOutError, wait_for
from lab.host.process_identity import ProcessIdentity

END_LIMIT = 10.0
"""Seconds that a forwarder has to end by itself, and then by force."""


@dataclass(frozen=True, config=STRICT)
class Forward:
    """A port of the host that leads into a lab, while the process lives that serves it."""

    listens: tuple[str, ...]
    """`ADDRESS:PORT`, one for each address; that of IPv6 is in brackets."""
    port: int
    target: str
    """As it may be written to `lab forward`, with everything that was left out."""
    background: bool
    since: str
    """UTC, ISO 8601."""
    process: ProcessIdentity

    def write(self, folder: LabFolder) -> None:
        """Raises FileNotFoundError when the lab is gone: it must not come back as an empty folder."""
        folder.forwards.mkdir(exist_ok=True)
        write_json(self._path(folder), self)

    def recorded(self, folder: LabFolder) -> bool:
        return self._path(folder).exists()

    def forget(self, folder: LabFolder) -> None:
        self._path(folder).unlink(missing_ok=True)

    def _path(self, folder: LabFolder) -> Path:
        # Nobody else ever has this name, so whoever finds the process gone may remove the file.
        process = self.process
        return folder.forwards / f"{self.port}-{process.pid}-{process.start_ticks}.json"


_FORWARD = TypeAdapter(Forward)


def running_forwards(folder: LabFolder) -> tuple[Forward, ...]:
    """Those whose process lives, by port; the records of others are removed.

    A file that is no record is left alone: it must hinder nobody who takes the lab down.
    """
    found = []
    for path in sorted(folder.forwards.glob("*.json")):
        try:
            forward = _FORWARD.validate_json(path.read_bytes())
        except FileNotFoundError:  # it has just ended
            continue
        except (ValidationError, OSError) as error:
            JOURNAL.warning("not the record of a forward: %s: %s", path, error)
            continue
        if forward.process.alive:
            found.append(forward)
        else:
            forward.forget(folder)
    return tuple(sorted(found, key=lambda forward: (forward.port, forward.listens)))


def end_forwards(folder: LabFolder, forwards: Sequence[Forward]) -> None:
    """End the processes that serve them, and wait until all have ended. Raises TimedOutError."""
    processes = {forward.process for forward in forwards}
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            if process.alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, number)
        try:
            wait_for(
                lambda: _check_ended(processes),
                what="end of what forwards ports",
                deadline=Deadline(END_LIMIT),
                interval=0.05,
            )
            break
        except TimedOutError:
            if number == signal.SIGKILL:
                raise
    for forward in forwards:
        forward.forget(folder)


def _check_ended(processes: set[ProcessIdentity]) -> None:
    left = sorted(process.pid for process in processes if process.alive)
    if left:
        raise NotYetError(f"{', '.join(map(str, left))} are still there")
