"""Doors made of processes that end with the lab's host side: what is on record of them, and what is left."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from lab.foundation.journal import JOURNAL
from lab.host.process_identity import ProcessIdentity
from lab.host.site import Site
from lab.host.tied import end_recorded, living


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

    def _end_processes(self) -> None:
        for name in reversed(tuple(self._processes)):
            end_recorded(self._site.layout.tied_record(name))

    def _first_process(self) -> ProcessIdentity | None:
        pid = self._site.init_pid
        return ProcessIdentity.of(pid) if pid is not None else None
