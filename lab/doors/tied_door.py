"""Doors made of processes that end with the lab's host side: what is on record of them, and what is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from lab.foundation.journal import JOURNAL
from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.host.process_identity import ProcessIdentity
from lab.host.site import Site
from lab.host.tied import end_recorded, ended_at_once, living, recorded, start_and_hear, start_recorded

READY_LIMIT = 20.0
"""Seconds that a process of a door has until it works."""
ASK_LIMIT = 10.0
"""Seconds for one connection to it."""


class Condition(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    BROKEN = "broken"


class TiedOpening(Protocol):
    """The record of how a door was opened."""

    @property
    def host_side(self) -> ProcessIdentity | None:
        """The first process of the lab's host side then; the door has gone with it."""


Opened = TypeVar("Opened", bound=TiedOpening)


class TiedDoor(Generic[Opened]):
    """A door as it is, read from the host each time."""

    def __init__(
        self, site: Site, record: Path, adapter: TypeAdapter[Opened], processes: Mapping[str, str]
    ) -> None:
        """`processes` it is made of: what users are told of each, by the name of its record."""
        self._site = site
        self._record = record
        self._adapter = adapter
        self._processes = processes

    @property
    def opening(self) -> Opened | None:
        """How it was opened, whether or not all of it is there still; None when it is closed."""
        try:
            opening = self._adapter.validate_json(self._record.read_bytes())
        except FileNotFoundError:
            return None
        except (ValidationError, OSError) as error:
            JOURNAL.warning("not the record of a door: %s: %s", self._record, error)
            return None
        return opening if self._site.running and opening.host_side == self._first_process() else None

    @property
    def broken(self) -> str:
        """What of an open door is not there any more; "" when nothing lacks."""
        layout = self._site.layout
        ended = [what for name, what in self._processes.items() if living(layout.tied_record(name)) is None]
        return f"{' and '.join(ended)} ended" if ended else ""

    @property
    def condition(self) -> Condition:
        if self.opening is None:
            return Condition.CLOSED
        return Condition.BROKEN if self.broken else Condition.OPEN

    def close(self) -> None:
        """End what it is made of; harmless when it is closed."""
        self._end_processes()
        self._record.unlink(missing_ok=True)

    def _start_serving(self, name: str, words: Sequence[str], address: str, port: int, what: str) -> None:
        """Start that process in the lab's network, and wait until it serves `what` there.

        Raises LabError when it ends, TimedOutError when it does not serve in time.
        """
        layout = self._site.layout
        record, log = layout.tied_record(name), layout.tied_log(name)
        start_recorded(self._site.hosted_command(recorded(words, record)), record, log)

        def serves() -> None:
            if living(record) is None:
                raise ended_at_once(self._processes[name], log)
            try:
                self._site.connect(address, port, ASK_LIMIT).close()
            except OSError as error:
                raise NotYetError(f"port {port}: {error.strerror}") from error

        wait_for(serves, what=what, deadline=Deadline(READY_LIMIT), interval=0.05, resolution=f"read {log}")

    def _start_heard(self, name: str, words: Callable[[int], Sequence[str]]) -> None:
        """Start that process in this host's network; it says that it works at the file of that number.

        Raises LabError when it does not in time.
        """
        layout = self._site.layout
        record, log = layout.tied_record(name), layout.tied_log(name)
        if not start_and_hear(
            lambda told: self._site.tied_command(recorded(words(told), record)), record, log, READY_LIMIT
        ):
            raise ended_at_once(self._processes[name], log)

    @property
    def _namespace(self) -> str:
        """The lab's network namespace, as a file of the host's."""
        return f"/proc/{self._site.init_pid}/ns/net"

    def _end_processes(self) -> None:
        for name in reversed(tuple(self._processes)):
            end_recorded(self._site.layout.tied_record(name))

    def _first_process(self) -> ProcessIdentity | None:
        pid = self._site.init_pid
        return ProcessIdentity.of(pid) if pid is not None else None
