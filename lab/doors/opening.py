"""How a door was opened, on disk: worth nothing once the lab's host side has ended: the door went with it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from lab.foundation.journal import JOURNAL
from lab.host.process_identity import ProcessIdentity
from lab.host.site import Site


class TiedOpening(Protocol):
    """The record of a door."""

    @property
    def host_side(self) -> ProcessIdentity | None:
        """The first process of the lab's host side when it was opened."""


Opening = TypeVar("Opening", bound=TiedOpening)


def read_opening(adapter: TypeAdapter[Opening], path: Path, site: Site) -> Opening | None:
    """The record in that file; None when there is none that can be read, or the door has gone."""
    try:
        opening = adapter.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValidationError, OSError) as error:
        JOURNAL.warning("not the record of a door: %s: %s", path, error)
        return None
    return opening if site.running and opening.host_side == first_process(site) else None


def first_process(site: Site) -> ProcessIdentity | None:
    """Of the lab's host side, while it runs."""
    pid = site.init_pid
    return ProcessIdentity.of(pid) if pid is not None else None
